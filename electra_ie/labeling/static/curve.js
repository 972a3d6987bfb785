/* The learning curve as a drawing: the score on dev by the number of labels, a point for each training. */

const SPACE = 'http://www.w3.org/2000/svg', WIDTH = 320, HEIGHT = 150, LEFT = 36, RIGHT = 10, TOP = 12, BOTTOM = 26;

function draw(name, attributes, text) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Return the drawing of a curve: points with `labels`, `score` (0 to 1), `run` and `dev_texts`. */
export function curve(points) {
  const known = points.filter(point => point.score !== null);
  const most = Math.max(...known.map(point => point.labels), 1);
  const x = labels => LEFT + (WIDTH - LEFT - RIGHT) * labels / most, y = score => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * score;
  const last = known.at(-1);
  const said = `Score on dev by labels. ${known.map(point => `${point.labels} labels: ${percent(point.score)}`).join('; ')}.`;
  const svg = draw('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': said, class: 'curve'});
  for (const share of [0, 0.5, 1]) {
    svg.append(draw('line', {x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share), class: 'grid'}),
      draw('text', {x: LEFT - 6, y: y(share) + 4, 'text-anchor': 'end'}, share * 100));
  }
  svg.append(draw('text', {x: LEFT, y: HEIGHT - 8}, '0'),
    draw('text', {x: WIDTH - RIGHT, y: HEIGHT - 8, 'text-anchor': 'end'}, `${most} labels`));
  if (known.length > 1) {
    svg.append(draw('polyline', {points: known.map(point => `${x(point.labels)},${y(point.score)}`).join(' ')}));
  }
  for (const point of known) {
    const circle = draw('circle', {cx: x(point.labels), cy: y(point.score), r: point === last ? 5 : 3.5});
    circle.append(draw('title', {}, `run ${point.run}: ${point.labels} labels, ${percent(point.score)} on ${point.dev_texts} texts of dev`));
    svg.append(circle);
  }
  return svg;
}

export function percent(score) { return `${(100 * score).toFixed(1)}\u00a0%`; }
