// Draws as the page does where there is no server: node draw_recipes.mjs MODELS OUT < WISHES
//
// Wishes are JSON: [{seeds, attributes, psi, size}, ...]. Writes OUT/N.png and OUT/recipes.json.

import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { Engine } from "../../avatargan/web/page/drawing/engine.js";
import { recipeOf } from "../../avatargan/web/page/drawing/png.js";
import { recipesFor, recolourings, vary } from "../../avatargan/web/page/drawing/recipes.js";
import { parseRecipes, stringifyRecipes } from "../../avatargan/web/page/recipe_json.js";

const [models, out] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${import.meta.dirname}/../js/package.json`));
const ort = await import(pathToFileURL(require.resolve("onnxruntime-web")));
ort.default.env.wasm.numThreads = 1;

const index = JSON.parse(fs.readFileSync(`${models}/models.json`));
const engine = new Engine(ort.default, index, async (name) =>
  fs.readFileSync(`${models}/${name}.onnx`),
);
const recipes = parseRecipes(fs.readFileSync(0).toString()).flatMap(({ seeds, ...wanted }) =>
  recipesFor(engine.taxonomy, index, seeds, wanted),
);
recipes.push(...vary(recipes[0], 0.3, 2, 1));
recipes.push(...vary(recipes.at(-1), 0.5, 1));
recipes.push(...recolourings(engine.taxonomy, recipes[0], engine.taxonomy.palette[0]));
fs.writeFileSync(`${out}/recipes.json`, stringifyRecipes(recipes));
for (const [number, recipe] of recipes.entries()) {
  const png = await engine.png(recipe);
  if (stringifyRecipes(await recipeOf(png)) !== stringifyRecipes(recipe)) {
    throw new Error(`the recipe in picture ${number} is another`);
  }
  fs.writeFileSync(`${out}/${number}.png`, png);
}
