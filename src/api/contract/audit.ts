// Owns: the audit log. May import: zod, ./pieces.

import { z } from 'zod';
import { page, pageQueryOf, time } from './pieces.ts';

const auditSchema = z
  .object({
    id: z.string(),
    at: time,
    actor: z.string().meta({ description: 'key:ID, session:ID, participant:USER or anonymous.' }),
    name: z.string(),
    action: z.string().meta({ description: 'Operation of this document.', examples: ['deleteRoom'] }),
    target: z.string().meta({ description: 'Path of the request.' }),
    status: z.int().meta({ description: 'HTTP status: whether it was done.' }),
    address: z.string(),
    requestId: z.string(),
  })
  .meta({ id: 'AuditEntry' });

export const auditList = page(auditSchema).meta({ id: 'AuditList' });
export const auditQuery = pageQueryOf('AU_').extend({
  actor: z.string().max(256).optional(),
  action: z.string().max(64).optional(),
  order: z.enum(['oldest', 'newest']).default('oldest').meta({ description: 'Which comes first.' }),
});
