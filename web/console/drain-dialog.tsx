// Owns: asking for how long, and why, a node is drained. May import: API contract (types), ui and its siblings.
import { useState } from 'preact/hooks';
import type { NodeResource } from '#api/contract.ts';
import { Dialog } from '../ui/dialog.tsx';
import type { Console } from './console.ts';
import { ApiForm, SelectField, TextField } from './form.tsx';

const times = [
  ['', 'They go on until they end by themselves'],
  ['3600000', 'They are sent away after an hour'],
  ['600000', 'They are sent away after ten minutes'],
  ['60000', 'They are sent away after a minute'],
  ['0', 'They are sent away now'],
] as const;

interface Props {
  readonly app: Console;
  readonly node: NodeResource;
  readonly onClose: () => void;
}

export function DrainDialog({ app, node, onClose }: Props) {
  const [reason, setReason] = useState(node.drain?.reason ?? '');
  const [timeoutMs, setTimeoutMs] = useState('');
  const submit = async () => {
    await app.api.drainNode(node.id, {
      reason: reason.trim(),
      ...(timeoutMs !== '' && { timeoutMs: Number(timeoutMs) }),
    });
    onClose();
  };
  return (
    <Dialog title="Drain this node" testId="drain-dialog" onClose={onClose}>
      <p>It takes no new rooms, participants, calls, publishers, viewers and jobs until it is given work again.</p>
      <ApiForm app={app} deed="Drain it" testId="drain" onSubmit={submit} onCancel={onClose}>
        <TextField path="reason" label="Reason" placeholder="Upgrade" value={reason} onChange={setReason} />
        <SelectField
          path="timeoutMs"
          label="Those that are in"
          hint="They are told at once when that is."
          value={timeoutMs}
          onChange={setTimeoutMs}
          options={times}
        />
      </ApiForm>
    </Dialog>
  );
}
