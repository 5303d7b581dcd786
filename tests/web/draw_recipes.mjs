// Draws as the page does where there is no server: node draw_recipes.mjs MODELS OUT < WISHES
//
// Wishes are JSON: [{seeds, attributes, psi, size} or a recipe, ...]. Writes OUT/N.png and OUT/recipes.json.

import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { Engine } from "../../avatargan/web/page/drawing/engine.js";
import { mix } from "../../avatargan/web/page/drawing/mixing.js";
import { recipeText } from "../../avatargan/web/page/carried.js";
import { parseRecipe, recipeJson } from "../../avatargan/web/page/recipes.js";
import { recipesFor, recolourings, vary } from "../../avatargan/web/page/drawing/recipes.js";

const [models, out] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${import.meta.dirname}/../js/package.json`));
const ort = await import(pathToFileURL(require.resolve("onnxruntime-web")));
ort.default.env.wasm.numThreads = 1;

const index = JSON.parse(fs.readFileSync(`${models}/models.json`));
const engine = new Engine(ort.default, index, async (file) =>
  fs.readFileSync(`${models}/${file}`),
);
const recipes = parseRecipe(fs.readFileSync(0).toString()).flatMap((wish) =>
  wish.weights_sha256 ? [wish] : recipesFor(engine.taxonomy, index, wish.seeds, wish),
);
recipes.push(...(await vary(recipes[0], 0.3, 2, 1)));
recipes.push(...(await vary(recipes.at(-1), 0.5, 1)));
recipes.push(...recolourings(engine.taxonomy, recipes[0], engine.taxonomy.palette[0]));
const all = recipes.slice();
recipes.push(...(await mix(engine, all.slice(0, 3), { count: 3 })));
recipes.push(...(await mix(engine, all.slice(-3), { count: 2, shape: 2, strength: 0.75, start: 5 })));
recipes.push(...(await mix(engine, [recipes.at(-1), all[1]], { count: 2, shape: 1, colours: 2 })));
fs.writeFileSync(`${out}/recipes.json`, recipeJson(recipes));
for (const [number, recipe] of recipes.entries()) {
  const png = await engine.png(recipe);
  if (recipeJson(parseRecipe(recipeText(png))) !== recipeJson(recipe)) {
    throw new Error(`the recipe in picture ${number} is another`);
  }
  fs.writeFileSync(`${out}/${number}.png`, png);
}
