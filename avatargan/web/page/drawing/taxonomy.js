// The attributes of the weights: what is offered, and how "any" is drawn from a seed.
// The same rules as avatargan/attributes.py, on the index that comes with the models.

import { crc32 } from "./crc32.js";
import { Philox, SeedSequence } from "../random.js";

export const ANY = "any";

export class Taxonomy {
  /** @param {{attributes: Object<string, string[]>, identity: string | null, unknown: string}} index */
  constructor(index) {
    this.choices = index.attributes;
    this.identity = index.identity;
    this.unknown = index.unknown;
    this.excluded = index.excluded_from_any ?? {};
    this.names = Object.keys(index.attributes);
    this.palette = this.names.filter((name) => name !== index.identity);
  }

  /** What may be asked for: all choices but the one of missing tags. */
  offered(name) {
    if (!this.names.includes(name)) throw new RangeError(`there is no attribute '${name}'`);
    return this.choices[name].filter((choice) => choice !== this.unknown);
  }

  /** What is drawn where nobody says anything. */
  default(name) {
    return name === this.identity ? this.offered(name)[0] : ANY;
  }

  /** The row of a choice in its attribute's embedding. */
  index(name, choice) {
    const row = this.offered(name).includes(choice) ? this.choices[name].indexOf(choice) : -1;
    if (row < 0) throw new RangeError(`${name} has no choice '${choice}'`);
    return row;
  }

  /** One definite choice for every attribute; "any" is drawn from the seed and the name alone. */
  resolve(wanted, seed) {
    const resolved = {};
    for (const name of this.names) {
      const choice = wanted[name] ?? this.default(name);
      resolved[name] = choice === ANY ? this.#draw(name, seed) : choice;
      this.index(name, resolved[name]);
    }
    return resolved;
  }

  #draw(name, seed) {
    const excluded = this.excluded[name] ?? [];
    const offered = this.offered(name).filter((choice) => !excluded.includes(choice));
    const entropy = new SeedSequence([BigInt(seed), crc32(new TextEncoder().encode(name))]);
    return offered[new Philox(entropy).integer(offered.length)];
  }
}
