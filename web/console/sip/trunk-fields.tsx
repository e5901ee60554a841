// Owns: the two sides of a trunk in its form. May import: the form and its siblings.
import { CheckField, LinesField, SelectField, TextField } from '../form.tsx';
import type { InboundDraft, LimitsDraft, OutboundDraft } from './trunk-draft.ts';

interface SideProps<D> {
  readonly draft: D;
  /** Whether one is kept. */
  readonly hasPassword: boolean;
  readonly onChange: (part: Partial<D>) => void;
}

export function InboundFields({ draft, hasPassword, onChange }: SideProps<InboundDraft>) {
  return (
    <div class="stack">
      <LinesField
        path="inbound.addresses"
        label="Addresses that packets come from, one a line"
        hint="Addresses or CIDR ranges. Headers are of no account."
        value={draft.addresses}
        placeholder="192.0.2.0/24"
        onChange={(addresses) => onChange({ addresses })}
      />
      <div class="field-row">
        <TextField
          path="inbound.username"
          label="User name it has to show"
          hint="Besides the address, where both are given."
          value={draft.username}
          onChange={(username) => onChange({ username })}
        />
        <PasswordField
          path="inbound.password"
          hasPassword={hasPassword}
          value={draft.password}
          onChange={(password) => onChange({ password })}
        />
      </div>
      <div class="field-row">
        <LinesField
          path="inbound.numbers"
          label="Numbers it may bring calls to, one a line"
          hint="What a number begins with and *; all if empty."
          value={draft.numbers}
          placeholder="+4930123*"
          onChange={(numbers) => onChange({ numbers })}
        />
        <SelectField
          path="inbound.numberIn"
          label="Where the called number is"
          hint="Some carriers write the account into the Request-URI, and the number into To."
          value={draft.numberIn}
          options={[
            ['', 'Request-URI'],
            ['to', 'To'],
          ]}
          onChange={(numberIn) => onChange({ numberIn })}
        />
      </div>
      <LimitFields side="inbound" draft={draft} onChange={onChange} />
    </div>
  );
}

export function OutboundFields({ draft, hasPassword, onChange }: SideProps<OutboundDraft>) {
  return (
    <div class="stack">
      <div class="field-row">
        <LinesField
          path="outbound.hosts"
          label="Hosts, tried in this order"
          value={draft.hosts}
          placeholder={'sip1.carrier.example\nsip2.carrier.example:5080'}
          onChange={(hosts) => onChange({ hosts })}
        />
        <SelectField
          path="outbound.transport"
          label="Transport"
          value={draft.transport}
          options={[
            ['', 'UDP'],
            ['tcp', 'TCP'],
            ['tls', 'TLS'],
            ['ws', 'WebSocket'],
            ['wss', 'secure WebSocket'],
          ]}
          onChange={(transport) => onChange({ transport })}
        />
      </div>
      <div class="field-row">
        <TextField
          path="outbound.username"
          label="User name"
          value={draft.username}
          onChange={(username) => onChange({ username })}
        />
        <PasswordField
          path="outbound.password"
          hasPassword={hasPassword}
          value={draft.password}
          onChange={(password) => onChange({ password })}
        />
      </div>
      <CheckField
        path="outbound.registration"
        label="Register there, so that it can call us"
        isChecked={draft.isRegistering}
        onChange={(isRegistering) => onChange({ isRegistering })}
      />
      <CallerFields draft={draft} onChange={onChange} />
      <MoreOutboundFields draft={draft} onChange={onChange} />
    </div>
  );
}

type OutboundProps = Omit<SideProps<OutboundDraft>, 'hasPassword'>;

function CallerFields({ draft, onChange }: OutboundProps) {
  return (
    <>
      <div class="field-row">
        <TextField
          path="outbound.callerId.number"
          label="Number that is shown"
          hint="Where a call does not say."
          value={draft.callerNumber}
          placeholder="+4930123000"
          onChange={(callerNumber) => onChange({ callerNumber })}
        />
        <TextField
          path="outbound.callerId.displayName"
          label="Name that is shown"
          value={draft.callerName}
          onChange={(callerName) => onChange({ callerName })}
        />
      </div>
      <div class="field-row">
        <LinesField
          path="outbound.callerId.allowed"
          label="Other numbers that a call may show"
          hint="All if empty."
          value={draft.callerAllowed}
          placeholder="+4930123*"
          onChange={(callerAllowed) => onChange({ callerAllowed })}
        />
        <SelectField
          path="outbound.callerId.header"
          label="Where the number goes"
          hint="Beside From, From has the user name: many carriers want that."
          value={draft.callerHeader}
          options={[
            ['', 'From'],
            ['p-asserted-identity', 'P-Asserted-Identity'],
            ['p-preferred-identity', 'P-Preferred-Identity'],
            ['remote-party-id', 'Remote-Party-ID'],
            ['diversion', 'Diversion'],
          ]}
          onChange={(callerHeader) => onChange({ callerHeader })}
        />
      </div>
    </>
  );
}

function MoreOutboundFields({ draft, onChange }: OutboundProps) {
  return (
    <details class="fold">
      <summary>More about calls out</summary>
      <div class="stack">
        <div class="field-row">
          <TextField
            path="outbound.authUsername"
            label="Name in the password dialogue"
            hint="The user name if empty."
            value={draft.authUsername}
            onChange={(authUsername) => onChange({ authUsername })}
          />
          <TextField
            path="outbound.domain"
            label="Domain in From"
            hint="The first host if empty."
            value={draft.domain}
            onChange={(domain) => onChange({ domain })}
          />
        </div>
        {draft.isRegistering && (
          <div class="field-row">
            <TextField
              path="outbound.registration.expiresSec"
              label="Registration lasts, seconds"
              type="number"
              value={draft.expiresSec}
              placeholder="600"
              onChange={(expiresSec) => onChange({ expiresSec })}
            />
            <TextField
              path="outbound.registration.contactUser"
              label="User of our Contact"
              hint="One that nobody can guess if empty."
              value={draft.contactUser}
              onChange={(contactUser) => onChange({ contactUser })}
            />
          </div>
        )}
        <div class="field-row">
          <TextField
            path="outbound.keepAliveSec"
            label="Asks each host whether it is there every, seconds"
            hint="0: never."
            type="number"
            value={draft.keepAliveSec}
            placeholder="30"
            onChange={(keepAliveSec) => onChange({ keepAliveSec })}
          />
          <TextField
            path="outbound.noAnswerMs"
            label="Gives a silent host up after, milliseconds"
            type="number"
            value={draft.noAnswerMs}
            placeholder="4000"
            onChange={(noAnswerMs) => onChange({ noAnswerMs })}
          />
        </div>
        <LimitFields side="outbound" draft={draft} onChange={onChange} />
      </div>
    </details>
  );
}

interface LimitProps {
  readonly side: 'inbound' | 'outbound';
  readonly draft: LimitsDraft;
  readonly onChange: (part: Partial<LimitsDraft>) => void;
}

function LimitFields({ side, draft, onChange }: LimitProps) {
  return (
    <div class="field-row">
      <TextField
        path={`${side}.maxCalls`}
        label="Calls at once, at most"
        type="number"
        min={0}
        value={draft.maxCalls}
        placeholder="no limit"
        onChange={(maxCalls) => onChange({ maxCalls })}
      />
      <TextField
        path={`${side}.callsPerSecond`}
        label="Calls a second, at most"
        type="number"
        step="any"
        value={draft.callsPerSecond}
        placeholder="no limit"
        onChange={(callsPerSecond) => onChange({ callsPerSecond })}
      />
      <CheckField
        path={`${side}.record`}
        label="Record its calls, each by itself"
        isChecked={draft.record !== null && draft.record !== false}
        onChange={(isRecorded) => onChange({ record: isRecorded ? true : null })}
      />
    </div>
  );
}

interface PasswordProps {
  readonly path: string;
  readonly hasPassword: boolean;
  readonly value: string;
  readonly onChange: (password: string) => void;
}

function PasswordField({ path, hasPassword, value, onChange }: PasswordProps) {
  return (
    <TextField
      path={path}
      label="Password"
      hint={hasPassword ? 'There is one, which is never shown; it stays if this is empty.' : 'Never shown again.'}
      type="password"
      value={value}
      placeholder={hasPassword ? 'stays as it is' : ''}
      onChange={onChange}
    />
  );
}
