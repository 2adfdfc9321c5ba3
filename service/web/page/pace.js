// How much is drawn while something moves, so that it moves smoothly; all of it once it is still.

const STILL = 150; // milliseconds after which nothing moves any more
const USUAL = 16; // milliseconds a frame takes where all is well
const SLOW = 26; // milliseconds a frame, from which on less is drawn
const LONGEST = 60; // one that takes longer counts no more: something else may have been at work
const WEIGHT = 0.15; // of the last frame among those before it

export class Pace {
  #all; #most; #usual = USUAL; #rest = 0; #isMoving = false; #still;

  /** `all` levels are drawn at first; `still()` is called when nothing moves any more and not all of them are. */
  constructor(all, still) {
    this.#all = this.#most = all;
    this.#still = still;
  }

  get isMoving() { return this.#isMoving; }

  get levels() { return this.#isMoving ? this.#most : this.#all; }

  moved() {
    this.#isMoving = true;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#isMoving = false;
      this.#usual = USUAL;
      if (this.#most < this.#all) this.#still();
    }, STILL);
  }

  /** So many milliseconds passed from a frame that was drawn to the next: where that is slow, less is drawn from now on. */
  took(passed) {
    this.#usual += WEIGHT * (Math.min(passed, LONGEST) - this.#usual);
    if (this.#usual > SLOW && this.#most > 1) {
      this.#most -= 1;
      this.#usual = USUAL;
    }
  }
}
