/** The panel beside the editor: the decision, who decides, the note, and the regions of the mask. */
import { h } from './dom.js';
import { areaText, scoreText } from './wording.js';

const REGIONS_SHOWN = 60;
const NAME_CHARACTERS = 100;

const DECISIONS = [
  ['normal', 'Normal', 'N', 'Nothing is odd here: empty mask, next image'],
  ['unsure', 'Unsure', 'U', 'I cannot tell: keep the mask, next image'],
  ['save-next', 'Save and next', 'Enter', 'Save the mask, next image'],
];

let panels = 0;

/** Emits 'request' {action}, 'note', 'author' {author}, 'class' {point, name}, 'drop' {point}, 'point' {?region}. */
export class Panel extends EventTarget {
  #knownClasses = new Set();
  #regionsText = '';

  /** @param {string} author */
  constructor(author) {
    super();
    this.listId = `oddity-classes-${(panels += 1)}`;
    this.authorInput = h('input', {
      type: 'text',
      maxlength: '100',
      placeholder: 'Your name',
      autocomplete: 'off',
      oninput: () => this.#tell('author', { author: this.author }),
    });
    this.authorInput.value = author;
    this.noteInput = h('textarea', {
      rows: '2',
      maxlength: '2000',
      placeholder: 'What the mask does not say',
      oninput: () => this.#tell('note'),
    });
    this.names = h('datalist', { id: this.listId });
    this.title = h('h3', { class: 'image-name' });
    this.facts = h('p', { class: 'facts' });
    this.status = h('p', { class: 'status', role: 'status' });
    this.regionsElement = h('ul', { class: 'regions' });
    this.regionsHeading = h('h4', {}, 'Regions');
    this.history = h('div', { class: 'history-place' });
    this.element = this.#build();
    this.showImage(null);
  }

  #build() {
    const button = ([action, title, key, hint]) =>
      h(
        'button',
        {
          type: 'button',
          class: action,
          title: hint,
          'data-action': action,
          onclick: () => this.#tell('request', { action }),
        },
        title,
        h('kbd', {}, key),
      );
    this.discard = h(
      'button',
      {
        type: 'button',
        class: 'link',
        hidden: true,
        'data-action': 'discard',
        title: 'Go back to what is stored',
        onclick: () => this.#tell('request', { action: 'discard' }),
      },
      'Discard',
    );
    return h(
      'aside',
      { class: 'panel', 'aria-label': 'Decision' },
      h('section', { class: 'about' }, this.title, this.facts),
      h(
        'section',
        { class: 'decide' },
        h('div', { class: 'decisions' }, DECISIONS.map(button)),
        h('div', { class: 'state' }, this.status, this.discard),
      ),
      h(
        'section',
        { class: 'words' },
        h('label', {}, 'Note', this.noteInput),
        h('label', {}, 'Author', this.authorInput),
      ),
      h('section', { class: 'regions-box' }, this.regionsHeading, this.regionsElement, this.names),
      this.history,
    );
  }

  #tell(name, detail = undefined) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  get author() {
    return this.authorInput.value.trim();
  }

  get note() {
    return this.noteInput.value.trim();
  }

  set note(text) {
    this.noteInput.value = text;
  }

  /** Show what is known about the open image; null while none is open. */
  showImage(answer) {
    this.element.classList.toggle('idle', !answer);
    const controls = [...this.element.querySelectorAll('.decisions button'), this.noteInput];
    for (const control of controls) control.disabled = !answer; // a note without an image would go nowhere
    this.title.textContent = answer?.item.name ?? '';
    this.title.title = answer?.item.name ?? '';
    this.facts.textContent = answer ? factsOf(answer) : '';
    this.#knownClasses = new Set(answer?.classes ?? []);
    this.#regionsText = '';
    if (!answer) this.showRegions([]);
  }

  /** @param {{text: string, tone: string, isDirty: boolean}} status */
  showStatus({ text, tone, isDirty }) {
    this.status.textContent = text;
    this.status.dataset.tone = tone;
    this.discard.hidden = !isDirty;
  }

  /** @param {Array<{area: number, box: Object, point: [number, number], name: string}>} regions largest first */
  showRegions(regions) {
    const text = JSON.stringify(regions);
    if (text === this.#regionsText && text !== '[]') return;
    this.#regionsText = text;
    for (const { name } of regions) if (name) this.#knownClasses.add(name);
    this.names.replaceChildren(...[...this.#knownClasses].sort().map((name) => h('option', { value: name })));
    const area = regions.reduce((sum, region) => sum + region.area, 0);
    this.regionsHeading.textContent = regions.length ? `Regions · ${regions.length} · ${areaText(area)}` : 'Regions';
    const rows = regions.slice(0, REGIONS_SHOWN).map((region, index) => this.#region(region, index));
    if (!regions.length) rows.push(h('li', { class: 'none' }, 'No pixel is marked: saving says normal.'));
    if (regions.length > REGIONS_SHOWN) {
      rows.push(h('li', { class: 'none' }, `and ${regions.length - REGIONS_SHOWN} smaller ones`));
    }
    const focused = this.regionsElement.contains(document.activeElement) ? document.activeElement.dataset.index : null;
    this.regionsElement.replaceChildren(...rows);
    this.#tell('point', { region: null }); // the row that was pointed at is gone, and so is its frame
    if (focused !== null) this.regionsElement.querySelector(`input[data-index="${focused}"]`)?.focus();
  }

  #region(region, index) {
    const input = h('input', {
      type: 'text',
      list: this.listId,
      maxlength: NAME_CHARACTERS,
      placeholder: 'defect class',
      'aria-label': `Defect class of region ${index + 1}`,
      'data-index': index,
      onchange: () => this.#tell('class', { point: region.point, name: input.value.trim() }),
    });
    input.value = region.name;
    return h(
      'li',
      {
        onpointerenter: () => this.#tell('point', { region }),
        onpointerleave: () => this.#tell('point', { region: null }),
      },
      h('span', { class: 'number' }, String(index + 1)),
      h('span', { class: 'area' }, areaText(region.area)),
      input,
      h(
        'button',
        {
          type: 'button',
          class: 'drop',
          title: 'Drop this region',
          'aria-label': `Drop region ${index + 1}`,
          onclick: () => this.#tell('drop', { point: region.point }),
        },
        '×',
      ),
    );
  }
}

function factsOf({ item, proposal, mask_from: from, revision, picture_note: note }) {
  const start = {
    revision: `revision ${revision?.number}${revision?.author ? ` by ${revision.author}` : ''}`,
    proposal: `proposal of ${proposal?.title ?? 'the model'}`,
    empty: 'empty',
  }[from];
  const score =
    proposal && `score ${scoreText(proposal.image_score)}${proposal.verdict ? ` · ${proposal.verdict}` : ''}`;
  return [`${item.width} × ${item.height} px`, score, `Mask: ${start}`, note].filter(Boolean).join('\n');
}
