// Owns: the form of a trunk, new or not. May import: API contract (types), ui and the console.
import { useState } from 'preact/hooks';
import type { SipTrunk } from '#api/contract.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { Icon } from '../../ui/icons.tsx';
import { showToast } from '../../ui/toasts.tsx';
import type { Console } from '../console.ts';
import { ApiForm, CheckField, LinesField, SelectField, TextField } from '../form.tsx';
import { draftOfTrunk, emptyTrunk, inputOfTrunk, patchOfTrunk, type TrunkDraft } from './trunk-draft.ts';
import { InboundFields, OutboundFields } from './trunk-fields.tsx';
import { trunkPresets, withPreset } from './trunk-presets.ts';

interface Props {
  readonly app: Console;
  /** Absent for a new one. */
  readonly trunk?: SipTrunk;
  readonly onClose: () => void;
}

export function TrunkDialog({ app, trunk, onClose }: Props) {
  const [draft, setDraft] = useState<TrunkDraft>(() => (trunk ? draftOfTrunk(trunk) : emptyTrunk));
  const change = (part: Partial<TrunkDraft>) => setDraft((before) => ({ ...before, ...part }));
  const submit = async () => {
    if (trunk) await app.api.sip.patchTrunk(trunk.id, patchOfTrunk(draft));
    else await app.api.sip.createTrunk(inputOfTrunk(draft));
    showToast(trunk ? 'Trunk saved.' : 'Trunk made.', { icon: 'check' });
    onClose();
  };
  return (
    <Dialog title={trunk ? `Trunk ${trunk.name}` : 'New trunk'} testId="trunk-dialog" isWide onClose={onClose}>
      <ApiForm
        app={app}
        testId="trunk-form"
        deed={trunk ? 'Save' : 'Make the trunk'}
        onSubmit={submit}
        onCancel={onClose}
      >
        {!trunk && <PresetField draft={draft} onChoose={setDraft} />}
        <TextField
          path="name"
          label="Name"
          hint="Of your own; calls out and rules name it."
          value={draft.name}
          isRequired
          placeholder="carrier"
          onChange={(name) => change({ name })}
        />
        <fieldset class="choices">
          <legend>Calls in</legend>
          <CheckField
            path="hasInbound"
            label="It brings calls"
            isChecked={draft.hasInbound}
            onChange={(hasInbound) => change({ hasInbound })}
          />
          {draft.hasInbound && (
            <InboundFields
              draft={draft.inbound}
              hasPassword={trunk?.inbound?.hasPassword ?? false}
              onChange={(part) => change({ inbound: { ...draft.inbound, ...part } })}
            />
          )}
        </fieldset>
        <fieldset class="choices">
          <legend>Calls out</legend>
          <CheckField
            path="hasOutbound"
            label="Calls go out through it"
            isChecked={draft.hasOutbound}
            onChange={(hasOutbound) => change({ hasOutbound })}
          />
          {draft.hasOutbound && (
            <OutboundFields
              draft={draft.outbound}
              hasPassword={trunk?.outbound?.hasPassword ?? false}
              onChange={(part) => change({ outbound: { ...draft.outbound, ...part } })}
            />
          )}
        </fieldset>
        <MediaFields draft={draft} onChange={change} />
      </ApiForm>
    </Dialog>
  );
}

function PresetField({ draft, onChoose }: { draft: TrunkDraft; onChoose: (draft: TrunkDraft) => void }) {
  const [id, setId] = useState('');
  const preset = trunkPresets.find((one) => one.id === id);
  return (
    <>
      <SelectField
        path="preset"
        label="Fill in for"
        value={id}
        options={[['', 'nothing: I know what to say'], ...trunkPresets.map((one) => [one.id, one.words] as const)]}
        onChange={(chosen) => {
          setId(chosen);
          const next = trunkPresets.find((one) => one.id === chosen);
          onChoose(next ? withPreset(draft, next) : { ...emptyTrunk, name: draft.name });
        }}
      />
      {preset && (
        <p class="notice" data-testid="preset-advice">
          <Icon name="help" size={18} />
          <span>{preset.advice}</span>
        </p>
      )}
    </>
  );
}

interface MediaProps {
  readonly draft: TrunkDraft;
  readonly onChange: (part: Partial<TrunkDraft>) => void;
}

function MediaFields({ draft, onChange }: MediaProps) {
  return (
    <details class="fold">
      <summary>Sound and headers</summary>
      <div class="stack">
        <SelectField
          path="media.srtp"
          label="Encryption of sound (SRTP)"
          value={draft.srtp}
          options={[
            ['', 'as the server is configured'],
            ['off', 'off'],
            ['allow', 'allowed'],
            ['require', 'required'],
          ]}
          onChange={(srtp) => onChange({ srtp })}
        />
        <SelectField
          path="media.server"
          label="Media of its calls"
          value={draft.server}
          options={[
            ['', 'as the server is configured'],
            ['native', 'the gateway itself'],
            ['freeswitch', 'FreeSWITCH'],
          ]}
          onChange={(server) => onChange({ server })}
        />
        <TextField
          path="media.codecs"
          label="Codecs, the best first"
          hint="Of opus, g722, pcmu, pcma; as the server is configured if empty."
          value={draft.codecs}
          placeholder="g722, pcma"
          onChange={(codecs) => onChange({ codecs })}
        />
        <LinesField
          path="headers.attributes"
          label="Headers of calls in that become attributes of the participant"
          value={draft.attributes}
          placeholder="X-Customer"
          onChange={(attributes) => onChange({ attributes })}
        />
        <LinesField
          path="headers.allowed"
          label="Headers that calls out may bring"
          value={draft.allowedHeaders}
          placeholder="X-Account"
          onChange={(allowedHeaders) => onChange({ allowedHeaders })}
        />
      </div>
    </details>
  );
}
