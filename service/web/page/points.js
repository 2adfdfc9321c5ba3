// Draws many points, with WebGL. Knows no collection.
//
// Points are sorted by what they look like, so that what matters is on top; by level, so that a share
// of them can be drawn while something moves; and by cell, so that only those in sight are drawn.

export const LIT = 2, RING = 4; // looks: 0 is a photo, 1 a text, 2 is lit; 4 more has a ring around it

const RANKS = 3; // plain, lit, with a ring
const SIDE = 16; // cells across and down
const SHARES = [1 / 8, 3 / 8]; // of points in the first level, and in the first two
export const LEVELS = SHARES.length + 1;
const FEW = 6000; // points of a rank that are always drawn, all of them
const SQUARE = 3; // pixels up to which nobody can tell a square from a disc

const PLACED = `
attribute vec2 place; attribute float look;
uniform vec2 middle; uniform vec2 scale; uniform float size; uniform float dim;
uniform vec3 photo; uniform vec3 words; uniform vec3 lit;
varying vec4 body; varying float isRinged;
void main() {
  gl_Position = vec4((place - middle) * scale, 0.0, 1.0);
  gl_PointSize = look > 3.5 ? size * 1.7 + 6.0 : look > 1.5 ? size * 1.7 : size;
  isRinged = look > 3.5 ? 1.0 : 0.0;
  float what = look - 4.0 * isRinged;
  vec3 colour = what > 1.5 ? lit : what > 0.5 ? words : photo;
  float solid = what > 1.5 ? 1.0 : dim;
  body = vec4(colour * solid, solid);
}`;
const DISC = `
precision mediump float;
uniform vec3 ring;
varying vec4 body; varying float isRinged;
void main() {
  float far = length(gl_PointCoord - 0.5);
  float edge = 1.0 - smoothstep(0.38, 0.5, far);
  gl_FragColor = (isRinged > 0.5 && far > 0.28 ? vec4(ring, 1.0) : body) * edge;
}`;
const PLAIN = `
precision mediump float;
varying vec4 body;
void main() { gl_FragColor = body; }`;

export class Points {
  #gl; #disc; #square; #starts = new Uint32Array(1); #buffers;

  /** Throws where the browser has no WebGL. */
  constructor(canvas) {
    const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
    if (!gl) throw new Error("This browser does not draw with WebGL, which the map needs.");
    this.#disc = linked(gl, DISC);
    this.#square = linked(gl, PLAIN);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.#buffers = [2, 1].map((wide, at) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, wide, gl.FLOAT, false, 0, 0);
      return buffer;
    });
    this.#gl = gl;
  }

  /** The points as they are to be drawn, from -1 to 1 both ways. */
  load(x, y, looks) {
    const gl = this.#gl, count = looks.length;
    const rooms = sorted(x, y, looks);
    this.#starts = rooms.starts;
    const places = new Float32Array(2 * count), kinds = new Float32Array(count);
    rooms.order.forEach((from, to) => {
      places[2 * to] = x[from];
      places[2 * to + 1] = y[from];
      kinds[to] = looks[from];
    });
    [places, kinds].forEach((values, at) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers[at]);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    });
  }

  /** Draw what is in sight, so many levels of it. */
  draw({ middle, scale, size, colours, isLit, levels }) {
    const gl = this.#gl;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const margin = 2 * size + 6; // pixels that a point reaches beyond its place, at most
    const across = (1 + margin / gl.drawingBufferWidth) / scale[0], down = (1 + margin / gl.drawingBufferHeight) / scale[1];
    const sight = { west: cell(middle[0] - across), east: cell(middle[0] + across), south: cell(middle[1] - down), north: cell(middle[1] + down) };
    for (let rank = 0; rank < RANKS; rank++) {
      const { program, at } = rank === 0 && size <= SQUARE ? this.#square : this.#disc;
      gl.useProgram(program);
      gl.uniform2f(at.middle, ...middle);
      gl.uniform2f(at.scale, ...scale);
      gl.uniform1f(at.size, size);
      gl.uniform1f(at.dim, isLit ? 0.28 : 0.75);
      for (const name of ["photo", "words", "lit", "ring"]) gl.uniform3f(at[name], ...colours[name]);
      for (let level = 0; level < levels; level++) this.#row(rank, level, sight);
    }
  }

  /** The cells beside each other are one run of points. */
  #row(rank, level, { west, east, south, north }) {
    const gl = this.#gl, starts = this.#starts;
    for (let row = south; row <= north; row++) {
      const first = starts[room(rank, level, row, west)], end = starts[room(rank, level, row, east) + 1];
      if (end > first) gl.drawArrays(gl.POINTS, first, end - first);
    }
  }
}

const room = (rank, level, row, column) => ((rank * LEVELS + level) * SIDE + row) * SIDE + column;

/** The row or column of cells that a place is in. */
const cell = (place) => Math.max(0, Math.min(SIDE - 1, Math.floor(((place + 1) / 2) * SIDE)));

const rankOf = (look) => (look >= RING ? 2 : look >= LIT ? 1 : 0);

/** Points by rank, level and cell: their order, and where each room of it starts; one more start is the end. */
function sorted(x, y, looks) {
  const counts = new Uint32Array(RANKS);
  for (const look of looks) counts[rankOf(look)] += 1;
  const rooms = Uint16Array.from(looks, (look, i) => {
    const rank = rankOf(look), chance = scattered(i);
    let level = 0;
    if (counts[rank] > FEW) while (level < SHARES.length && chance >= SHARES[level]) level += 1;
    return room(rank, level, cell(y[i]), cell(x[i]));
  });
  const starts = new Uint32Array(RANKS * LEVELS * SIDE * SIDE + 1);
  for (const one of rooms) starts[one + 1] += 1;
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
  const next = starts.slice(), order = new Uint32Array(looks.length);
  rooms.forEach((one, i) => { order[next[one]++] = i; });
  return { order, starts };
}

/** A number from 0 to 1 for each point, the same each time: what is drawn while moving does not flicker. */
const scattered = (i) => (Math.imul(i + 1, 2654435761) >>> 0) / 2 ** 32;

function linked(gl, fragment) {
  const program = gl.createProgram(), at = {};
  for (const [kind, source] of [[gl.VERTEX_SHADER, PLACED], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  ["place", "look"].forEach((name, where) => gl.bindAttribLocation(program, where, name));
  gl.linkProgram(program);
  for (const name of ["middle", "scale", "size", "dim", "photo", "words", "lit", "ring"]) at[name] = gl.getUniformLocation(program, name);
  return { program, at };
}
