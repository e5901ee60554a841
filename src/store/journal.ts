// Owns: the door to what is written down in order: events, deliveries, who did what. May import: core, ./…
import type { Logger } from '#core/ports.ts';
import { openDatabase } from './database.ts';
import { SqliteAudit } from './sqlite-audit.ts';
import { SqliteDeliveries } from './sqlite-deliveries.ts';
import { SqliteEvents } from './sqlite-events.ts';

export interface Journal {
  readonly events: SqliteEvents;
  readonly deliveries: SqliteDeliveries;
  readonly audit: SqliteAudit;
  readonly isOpen: boolean;
  close(): void;
}

/**
 * In the file of the documents, through a connection of its own: what is told is many and may be written more cheaply than
 * what must not be forgotten.
 * @throws GatewayError `conflict`, as `openSqliteStore` does
 */
export function openJournal(file: string, log: Logger): Journal {
  const database = openDatabase(file, 'kill', log);
  const events = new SqliteEvents(database);
  const audit = new SqliteAudit(database);
  return {
    events,
    audit,
    deliveries: new SqliteDeliveries(database, events.epoch),
    get isOpen() {
      return database.isOpen;
    },
    close: () => {
      if (!database.isOpen) return;
      audit.flush();
      database.close();
    },
  };
}
