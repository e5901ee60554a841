// Owns: what a rule asks of a call, in its form. May import: the form and its siblings.
import { LinesField, TextField } from '../form.tsx';
import type { RuleDraft, Weekday } from './rule-draft.ts';

interface Props {
  readonly draft: RuleDraft;
  readonly onChange: (part: Partial<RuleDraft>) => void;
}

export function AskedFields({ draft, onChange }: Props) {
  return (
    <fieldset class="choices">
      <legend>A call: all that is said here has to fit</legend>
      <div class="stack">
        <div class="field-row">
          <TextField
            path="number"
            label="Number or name that is dialled"
            value={draft.number}
            placeholder="+4930123"
            onChange={(number) => onChange({ number })}
          />
          <TextField
            path="pattern"
            label="Or what fits a regular expression"
            value={draft.pattern}
            placeholder={'\\+4930123\\d+'}
            onChange={(pattern) => onChange({ pattern })}
          />
        </div>
        <div class="field-row">
          <TextField
            path="from"
            label="Caller"
            hint="Or what it begins with, and *."
            value={draft.from}
            placeholder="+4989*"
            onChange={(from) => onChange({ from })}
          />
          <TextField
            path="trunk"
            label="Trunk that brings it"
            list="known-trunks"
            value={draft.trunk}
            placeholder="any"
            onChange={(trunk) => onChange({ trunk })}
          />
        </div>
        <details class="fold" open={hasMore(draft)}>
          <summary>More: range, account, headers, times</summary>
          <div class="stack">
            <RareFields draft={draft} onChange={onChange} />
            <TimeFields draft={draft} onChange={onChange} />
          </div>
        </details>
      </div>
    </fieldset>
  );
}

/** What is asked of a call must not be hidden from who edits it. */
function hasMore({ first, fromPattern, divertedFrom, account, headers, days, timeFrom, timeTo, timeZone }: RuleDraft) {
  return [first, fromPattern, divertedFrom, account, headers, ...days, timeFrom, timeTo, timeZone].some(Boolean);
}

function RareFields({ draft, onChange }: Props) {
  return (
    <>
      <div class="field-row">
        <TextField
          path="numberRange.first"
          label="First number of a range that is dialled"
          value={draft.first}
          placeholder="+4930123000"
          onChange={(first) => onChange({ first })}
        />
        <TextField
          path="numberRange.last"
          label="Last"
          value={draft.last}
          placeholder="+4930123999"
          onChange={(last) => onChange({ last })}
        />
      </div>
      <div class="field-row">
        <TextField
          path="fromPattern"
          label="Caller fits a regular expression"
          value={draft.fromPattern}
          onChange={(fromPattern) => onChange({ fromPattern })}
        />
        <TextField
          path="divertedFrom"
          label="Was for this number before it was sent on"
          value={draft.divertedFrom}
          onChange={(divertedFrom) => onChange({ divertedFrom })}
        />
      </div>
      <TextField
        path="account"
        label="Account that calls"
        hint="* for any."
        list="known-accounts"
        value={draft.account}
        onChange={(account) => onChange({ account })}
      />
      <LinesField
        path="headers"
        label="Headers and regular expressions over their values, one a line"
        value={draft.headers}
        placeholder="X-Customer: gold|silver"
        onChange={(headers) => onChange({ headers })}
      />
    </>
  );
}

const weekdayWords: readonly (readonly [Weekday, string])[] = [
  ['mon', 'Mon'],
  ['tue', 'Tue'],
  ['wed', 'Wed'],
  ['thu', 'Thu'],
  ['fri', 'Fri'],
  ['sat', 'Sat'],
  ['sun', 'Sun'],
];

function TimeFields({ draft, onChange }: Props) {
  const { days } = draft;
  const toggle = (day: Weekday) =>
    onChange({ days: days.includes(day) ? days.filter((other) => other !== day) : [...days, day] });
  return (
    <>
      <fieldset class="choices inline">
        <legend>Days; all if none</legend>
        {weekdayWords.map(([day, words]) => (
          <label key={day} class="choice">
            <input
              type="checkbox"
              data-field={`time.days.${day}`}
              checked={days.includes(day)}
              onChange={() => toggle(day)}
            />
            {words}
          </label>
        ))}
      </fieldset>
      <div class="field-row three">
        <TextField
          path="time.from"
          label="From"
          value={draft.timeFrom}
          placeholder="09:00"
          onChange={(timeFrom) => onChange({ timeFrom })}
        />
        <TextField
          path="time.to"
          label="Until"
          value={draft.timeTo}
          placeholder="17:00"
          onChange={(timeTo) => onChange({ timeTo })}
        />
        <TextField
          path="time.timeZone"
          label="Time zone"
          value={draft.timeZone}
          placeholder="UTC"
          onChange={(timeZone) => onChange({ timeZone })}
        />
      </div>
    </>
  );
}
