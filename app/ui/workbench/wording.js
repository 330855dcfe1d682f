/** How states, times, scores and revisions are put into words. Pure. */

export const STATES = Object.freeze(['new', 'proposed', 'corrected', 'confirmed', 'unsure']);

const STATE_HINTS = Object.freeze({
  new: 'nothing proposed yet',
  proposed: 'the model has proposed a mask, nobody has looked at it',
  corrected: 'a person has changed the proposal or painted the mask',
  confirmed: 'a person has agreed with the proposal',
  unsure: 'a person could not decide',
});

export function titleOf(word) {
  return word ? word[0].toUpperCase() + word.slice(1) : '';
}

export function stateHint(state) {
  return STATE_HINTS[state] ?? '';
}

export function scoreText(score) {
  return Number.isFinite(score) ? score.toFixed(2).replace(/^-(0\.00)$/, '$1') : '';
}

/** Time of day for today, else day and time; local time of the person. `time` is ISO text or milliseconds. */
export function timeText(time, now = new Date(), locale = undefined) {
  const date = new Date(time ?? NaN);
  if (Number.isNaN(date.getTime())) return '';
  const clock = date.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  if (date.toDateString() === now.toDateString()) return clock;
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' };
  return `${date.toLocaleDateString(locale, { day: 'numeric', month: 'short', ...year })}, ${clock}`;
}

export function areaText(pixels) {
  return `${pixels.toLocaleString('en')} px`;
}

function whoSaved(revisions) {
  const words = revisions.map((revision) => {
    const deed = revision.kind === 'delete' ? 'deleted the annotation in' : 'saved';
    return `${revision.author || 'Somebody'} ${deed} revision ${revision.number}`;
  });
  return words.length < 3 ? words.join(' and ') : `${words.slice(0, 2).join(', ')} and ${words.length - 2} more`;
}

/** What a person is told whose save came after others'. */
export function overtakenText(overtaken, name = '') {
  const earliestFirst = [...overtaken].sort((one, other) => one.number - other.number);
  const kept = overtaken.length === 1 ? 'both are kept' : 'all are kept';
  return `${whoSaved(earliestFirst)} ${name && `of ${name} `}while you worked; ${kept}; yours is newest.`;
}

/** What a person is told while they work on an image that somebody else has saved. */
export function foreignText(revisions, now = new Date()) {
  const newest = revisions.reduce((one, other) => (one.number > other.number ? one : other));
  return `${whoSaved([newest])} of this image at ${timeText(newest.saved_at, now)}. Nothing of yours was changed.`;
}

/**
 * How the open image and the saves under way stand, in one line.
 * @returns {{text: string, tone: 'plain'|'good'|'bad', isDirty: boolean}}
 */
export function statusOf({ sending, isDirty, isKept, hasFailed, revision, isOpen }) {
  const say = (text, tone = 'plain') => ({ text, tone, isDirty });
  if (sending.count && sending.failed) {
    const what = sending.count > 1 ? `${sending.count} saves are not stored yet` : 'Not saved yet';
    return say(`${what}, trying again in ${sending.delayS} s`, 'bad');
  }
  if (isOpen && isDirty && hasFailed) return say('Unsaved work that this browser could not keep: save it', 'bad');
  if (isOpen && isDirty) return say(isKept ? 'Unsaved, kept in this browser' : 'Unsaved work');
  if (sending.count) return say('Saving …');
  if (!isOpen) return say('');
  if (!revision) return say('Not decided yet');
  const who = [revision.author, timeText(revision.saved_at)].filter(Boolean).join(', ');
  return say(`${titleOf(revision.label ?? 'deleted')}, revision ${revision.number}${who ? ` · ${who}` : ''}`, 'good');
}
