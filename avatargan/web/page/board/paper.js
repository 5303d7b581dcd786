// A photographed or scanned sketch becomes lines on transparency: the paper's grey goes.

// What is loaded is kept at this size; larger ones would fill the storage.
export const KEPT_SIZE = 512;

// Pixels (RGBA bytes of a square) to ink on transparency, in place. Pure; runs in Node as well.
export function removePaper(pixels, size) {
  const light = new Float32Array(size * size);
  let sum = 0;
  let clear = 0;
  for (let index = 0; index < light.length; index++) {
    const [red, green, blue, alpha] = pixels.subarray(4 * index, 4 * index + 4);
    const share = alpha / 255;
    if (share < 0.1) clear++;
    light[index] = (0.299 * red + 0.587 * green + 0.114 * blue) * share + 255 * (1 - share);
    sum += light[index];
  }
  const onTransparency = clear > 0.4 * light.length;
  // Chalk on a blackboard is turned over.
  if (!onTransparency && sum / light.length < 105) for (let i = 0; i < light.length; i++) light[i] = 255 - light[i];
  const paper = paperLight(light, size);
  let darkest = 0;
  const ink = light.map((value, index) => {
    const own = onTransparency ? pixels[4 * index + 3] / 255 : Math.max(0, 1 - value / Math.max(paper(index), 24));
    darkest = Math.max(darkest, own);
    return own;
  });
  const faintest = 0.16 * darkest;
  for (let index = 0; index < ink.length; index++) {
    const strength = darkest < 0.04 ? 0 : Math.min(1, Math.max(0, (ink[index] - faintest) / (0.6 * darkest - faintest)));
    pixels.set([27, 23, 32, Math.round(255 * strength)], 4 * index);
  }
  return pixels;
}

// How light the paper is around a pixel: the lightest of each cell, between cells in a straight line.
function paperLight(light, size) {
  const cells = 16;
  const side = size / cells;
  const grid = new Float32Array(cells * cells);
  for (let index = 0; index < light.length; index++) {
    const cell = Math.floor(Math.floor(index / size) / side) * cells + Math.floor((index % size) / side);
    grid[cell] = Math.max(grid[cell], light[index]);
  }
  return (index) => {
    const x = Math.min(cells - 1, Math.max(0, ((index % size) + 0.5) / side - 0.5));
    const y = Math.min(cells - 1, Math.max(0, (Math.floor(index / size) + 0.5) / side - 0.5));
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [right, bottom] = [Math.min(cells - 1, left + 1), Math.min(cells - 1, top + 1)];
    const [across, down] = [x - left, y - top];
    const upper = grid[top * cells + left] * (1 - across) + grid[top * cells + right] * across;
    const lower = grid[bottom * cells + left] * (1 - across) + grid[bottom * cells + right] * across;
    return upper * (1 - down) + lower * down;
  };
}

// A file, a pasted picture or a frame of a camera as a data URL of lines on transparency.
export async function cleaned(blob) {
  const image = await createImageBitmap(blob, { imageOrientation: "from-image" });
  const canvas = Object.assign(document.createElement("canvas"), { width: KEPT_SIZE, height: KEPT_SIZE });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const scale = KEPT_SIZE / Math.max(image.width, image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  context.imageSmoothingQuality = "high";
  const place = [(KEPT_SIZE - width) / 2, (KEPT_SIZE - height) / 2, width, height];
  // What is beside a picture that is not square has the colour of its border.
  context.drawImage(image, 0, 0, image.width, image.height, 0, 0, KEPT_SIZE, KEPT_SIZE);
  context.filter = "blur(24px)";
  context.drawImage(canvas, 0, 0);
  context.filter = "none";
  context.clearRect(...place);
  context.drawImage(image, ...place);
  image.close();
  const pixels = context.getImageData(0, 0, KEPT_SIZE, KEPT_SIZE);
  removePaper(pixels.data, KEPT_SIZE);
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png");
}
