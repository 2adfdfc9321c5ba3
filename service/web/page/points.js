// Draws many points, with WebGL. Knows no collection.

export const LIT = 2, RING = 4; // looks: 0 is a photo, 1 a text, 2 is lit; 4 more has a ring around it

const VERTEX = `
attribute vec2 place; attribute float look;
uniform vec2 middle; uniform vec2 scale; uniform float size; uniform float dim;
varying float how;
void main() {
  gl_Position = vec4((place - middle) * scale, 0.0, 1.0);
  gl_PointSize = look > 3.5 ? size * 1.7 + 6.0 : look > 1.5 ? size * 1.7 : size;
  how = look;
}`;
const FRAGMENT = `
precision mediump float;
uniform vec3 photo; uniform vec3 words; uniform vec3 lit; uniform vec3 ring; uniform float dim;
varying float how;
void main() {
  float far = length(gl_PointCoord - 0.5);
  if (far > 0.5) discard;
  float edge = 1.0 - smoothstep(0.38, 0.5, far);
  float what = how > 3.5 ? how - 4.0 : how;
  bool isRing = how > 3.5 && far > 0.28;
  vec3 colour = isRing ? ring : what > 1.5 ? lit : what > 0.5 ? words : photo;
  float solid = (isRing || what > 1.5 ? 1.0 : dim) * edge;
  gl_FragColor = vec4(colour * solid, solid);
}`;

export class Points {
  #gl; #at = {}; #count = 0; #looks; #buffers;

  /** Throws where the browser has no WebGL. */
  constructor(canvas) {
    const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
    if (!gl) throw new Error("This browser does not draw with WebGL, which the map needs.");
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (const name of ["middle", "scale", "size", "dim", "photo", "words", "lit", "ring"]) {
      this.#at[name] = gl.getUniformLocation(program, name);
    }
    this.#buffers = ["place", "look"].map((name, i) => {
      const buffer = gl.createBuffer(), where = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(where);
      gl.vertexAttribPointer(where, 2 - i, gl.FLOAT, false, 0, 0);
      return buffer;
    });
    this.#gl = gl;
  }

  /** What is lit is drawn last, and what has a ring after it, so that they are on top. */
  load(x, y, looks) {
    const gl = this.#gl;
    const order = [...looks.keys()].sort((a, b) => rank(looks[a]) - rank(looks[b]));
    const places = new Float32Array(2 * x.length);
    order.forEach((from, to) => { places[2 * to] = x[from]; places[2 * to + 1] = y[from]; });
    this.#looks = Float32Array.from(order, (from) => looks[from]);
    [places, this.#looks].forEach((values, i) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffers[i]);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    });
    this.#count = x.length;
  }

  draw({ middle, scale, size, colours, isLit }) {
    const gl = this.#gl, at = this.#at;
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(at.middle, ...middle);
    gl.uniform2f(at.scale, ...scale);
    gl.uniform1f(at.size, size);
    gl.uniform1f(at.dim, isLit ? 0.28 : 0.75);
    for (const name of ["photo", "words", "lit", "ring"]) gl.uniform3f(at[name], ...colours[name]);
    gl.drawArrays(gl.POINTS, 0, this.#count);
  }
}

const rank = (look) => (look >= RING ? 2 : look >= LIT ? 1 : 0);
