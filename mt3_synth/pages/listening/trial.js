// One page of the test: the open reference, and the sounds to be rated against it.
const SCALE = [['Excellent', 100], ['Good', 80], ['Fair', 60], ['Poor', 40], ['Bad', 20]];
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

class Trial {
  // stimuli: ids in this listener's order; answers: {id: {score, plays}} so far, written to as it goes; changed(): after each answer.
  constructor(trial, stimuli, answers, changed) {
    Object.assign(this, { trial, stimuli, answers, changed });
    this.shown = 0;  // of the player: 0 the reference, 1 the first sound
    for (const id of stimuli) answers[id] ??= { score: null, plays: 0 };
    const sources = [trial.reference, ...stimuli].map(id => `audio/${id}.flac`);
    this.player = new SwitchingPlayer(sources, trial.seconds, { changed: () => this.update(), moved: seconds => this.moved(seconds) });
    this.player.loop = [0, trial.seconds];
    this.node = this.build();
    this.update();
    this.moved(0);
  }

  build() {
    this.transport = el('button', { type: 'button', class: 'main transport', onclick: () => this.toggle() });
    this.time = el('span', { class: 'time' });
    this.head = el('div', { class: 'playhead' });
    const bound = (place, label) => el('input', {
      type: 'range', min: '0', max: String(this.trial.seconds), step: '0.05', value: String(this.player.loop[place]), 'aria-label': label,
      oninput: event => this.bound(place, Number(event.target.value), event.target),
    });
    this.bounds = [bound(0, 'Loop from, in seconds'), bound(1, 'Loop to, in seconds')];
    this.span = el('div', { class: 'span' });
    const track = el('div', { class: 'track', onclick: event => {
      const box = track.getBoundingClientRect();
      if (event.target === track || event.target === this.span) this.player.seek((event.clientX - box.left) / box.width * this.trial.seconds);
    } }, this.span, this.head);
    this.reference = el('button', { type: 'button', class: 'sound reference', onclick: () => this.hear(0) }, el('b', {}, 'Reference'), el('kbd', {}, '0'));
    this.rows = this.stimuli.map((id, k) => this.row(id, k));
    return el('div', { class: 'trial' },
      el('div', { class: 'transport-row' }, this.transport, el('div', { class: 'loop' }, track, el('div', { class: 'bounds' }, ...this.bounds)), this.time),
      el('div', { class: 'reference-row' }, this.reference, el('p', {}, 'How close is each sound to the reference? One of them is the reference itself.')),
      el('div', { class: 'scale', 'aria-hidden': 'true' }, el('span'), el('div', {}, ...[...SCALE].reverse().map(([word]) => el('span', {}, word))), el('span')),
      ...this.rows.map(row => row.node));
  }

  row(id, k) {
    const letter = LETTERS[k];
    const button = el('button', { type: 'button', class: 'sound', 'aria-label': `Play ${letter}`, onclick: () => this.hear(k + 1) }, el('b', {}, letter), k < 9 && el('kbd', {}, String(k + 1)));
    const slider = el('input', {
      type: 'range', min: '0', max: '100', step: '1', value: String(this.answers[id].score ?? 50), 'aria-label': `Rating of ${letter}, 0 bad to 100 excellent`,
      oninput: () => this.rate(k, Number(slider.value)), onpointerdown: () => this.rate(k, Number(slider.value)),
    });
    const shown = el('output', {});
    return { node: el('div', { class: 'rating' }, button, el('div', { class: 'slider' }, slider), shown), button, slider, shown };
  }

  // Which sound: it starts where the last one was.
  hear(k) {
    if (k > this.stimuli.length) return;
    this.player.select(k);
    if (!this.player.playing) this.player.play();
    this.played(k);
  }

  toggle() {
    this.player.toggle();
    if (this.player.playing) this.played(this.player.current);
  }

  played(k) {
    if (k > 0) this.answers[this.stimuli[k - 1]].plays += 1;
    this.update();
    this.changed();
  }

  rate(k, score) {
    this.answers[this.stimuli[k]].score = Math.min(100, Math.max(0, score));
    this.update();
    this.changed();
  }

  // Moves the rating whose slider has the focus, or else that of the sound that is chosen.
  nudge(by, focused) {
    const own = this.rows.findIndex(({ slider }) => slider === focused);
    const k = own >= 0 ? own : this.player.current - 1;
    if (k >= 0) this.rate(k, (this.answers[this.stimuli[k]].score ?? 50) + by);
  }

  bound(place, value, input) {
    const [from, to] = this.player.loop;
    const least = Math.min(0.5, this.trial.seconds);
    this.player.loop = place === 0 ? [Math.min(value, to - least), to] : [from, Math.max(value, from + least)];
    input.value = this.player.loop[place];
    if (this.player.time < this.player.loop[0] || this.player.time > this.player.loop[1]) this.player.seek(this.player.loop[0]);
    this.moved(this.player.time);
  }

  update() {
    if (!this.rows) return;
    this.transport.textContent = this.player.playing ? '❚❚' : '▶';
    this.transport.setAttribute('aria-label', this.player.playing ? 'Pause' : 'Play');
    this.reference.setAttribute('aria-pressed', String(this.player.current === 0));
    this.rows.forEach(({ node, button, slider, shown }, k) => {
      const { score, plays } = this.answers[this.stimuli[k]];
      button.setAttribute('aria-pressed', String(this.player.current === k + 1));
      button.classList.toggle('unheard', plays === 0);
      node.classList.toggle('unrated', score == null);
      if (score != null) slider.value = score;
      shown.textContent = score ?? '–';
    });
  }

  moved(seconds) {
    const share = value => `${100 * value / this.trial.seconds}%`;
    this.head.style.left = share(seconds);
    this.span.style.left = share(this.player.loop[0]);
    this.span.style.width = share(this.player.loop[1] - this.player.loop[0]);
    this.time.textContent = `${seconds.toFixed(1)} / ${this.trial.seconds.toFixed(1)} s`;
  }
}
