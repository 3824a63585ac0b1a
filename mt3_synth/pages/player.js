// Several recordings of one piece, of which one sounds: another goes on where this one was.
class SwitchingPlayer {
  static sounding = null;  // one player sounds at a time

  // sources: URLs; duration: in seconds; changed(): called when it starts, stops or switches; moved(seconds): as it plays.
  constructor(sources, duration, { changed = () => {}, moved = () => {} } = {}) {
    Object.assign(this, { sources, duration, changed, moved, current: 0, playing: false, loop: null, failed: new Set() });
    this.position = 0;
    this.audio = sources.map((source, k) => {
      const audio = new Audio();
      audio.preload = 'auto';
      audio.src = source;
      audio.addEventListener('ended', () => { if (k === this.current) this.finish(); });
      audio.addEventListener('error', () => { this.failed.add(k); this.changed(); });
      return audio;
    });
  }

  get time() {
    return this.playing && this.audio[this.current].readyState ? this.audio[this.current].currentTime : this.position;
  }

  play() {
    if (SwitchingPlayer.sounding && SwitchingPlayer.sounding !== this) SwitchingPlayer.sounding.pause();
    SwitchingPlayer.sounding = this;
    if (this.loop && (this.position < this.loop[0] || this.position >= this.loop[1] - 0.05)) this.position = this.loop[0];
    if (this.position >= this.duration - 0.05) this.position = 0;
    this.playing = true;
    this.start();
    this.follow();
    this.changed();
  }

  pause() {
    if (!this.playing) return;
    this.position = this.time;
    this.playing = false;
    this.audio[this.current].pause();
    this.changed();
  }

  toggle() { this.playing ? this.pause() : this.play(); }

  select(k) {
    if (k < 0 || k >= this.audio.length) return;
    if (k !== this.current) {
      this.position = this.time;
      this.audio[this.current].pause();
      this.current = k;
      if (this.playing) this.start();
    }
    this.changed();
  }

  seek(seconds) {
    this.position = Math.min(Math.max(seconds, 0), this.duration);
    if (this.playing) this.audio[this.current].currentTime = this.position;
    this.moved(this.position);
  }

  start() {
    const audio = this.audio[this.current];
    audio.currentTime = this.position;
    audio.play().catch(() => { if (this.audio[this.current] === audio && audio.paused && this.playing) this.pause(); });
  }

  finish() {
    if (!this.playing) return;
    if (this.loop) { this.position = this.loop[0]; this.start(); return; }
    this.position = 0;
    this.playing = false;
    this.moved(0);
    this.changed();
  }

  follow() {
    if (!this.playing) return;
    const now = this.time;
    if (this.loop && now >= this.loop[1]) this.seek(this.loop[0]);
    this.moved(now);
    requestAnimationFrame(() => this.follow());
  }
}
