"""Train a face cascade for OpenCV: ``python -m face_crop.train_cascade FACES NEGATIVES``.

FACES is a folder or an uncompressed tar file of square crops of faces in the style that the
cascade is for, all framed alike; NEGATIVES one of pictures without such faces, or with
``--mask-faces`` of any pictures. The same options give the same cascade.
"""

import argparse
import sys
from pathlib import Path

import cv2
from tqdm import tqdm

from avatargan.dataset import open_dataset
from avatargan.errors import AvatarGanError
from avatargan.files import write_atomically
from face_crop.cascade import SHIPPED_CASCADE
from face_crop.training.cascade import CascadeOptions, prepare_negatives, train_cascade
from face_crop.training.option_arguments import add_options, options_of

_EXAMPLES = """examples:
  python -m face_crop.train_cascade faces.tar pictures --out my_faces.xml
  python -m face_crop.train_cascade faces portraits.tar --mask-faces --out my_faces.xml
  python -m face_crop.train_cascade faces pictures --out my_faces.xml --dry-run
  python -m face_crop pictures crops --cascade my_faces.xml      # and use it

Each stage is kept in FILE.stages as soon as it is trained; the same command carries on there.
"""


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, train, write the cascade; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m face_crop.train_cascade",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("faces", type=Path, help="folder or tar file of square crops of faces")
    parser.add_argument("negatives", type=Path, help="folder or tar file of other pictures")
    parser.add_argument("--out", type=Path, required=True, help="XML file to write")
    parser.add_argument(
        "--mask-faces",
        nargs="?",
        type=Path,
        const=SHIPPED_CASCADE,
        metavar="CASCADE",
        help="paint over what a cascade (default: the shipped one) finds in the negatives",
    )
    parser.add_argument("--dry-run", action="store_true", help="look at the input and stop")
    add_options(parser, CascadeOptions)
    given = parser.parse_args(arguments)
    try:
        _train(given, options_of(given, CascadeOptions))
    except AvatarGanError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("stopped: the same command carries on after the last stage", file=sys.stderr)  # noqa: T201
        return 130
    return 0


def _train(given: argparse.Namespace, options: CascadeOptions) -> None:
    cv2.setNumThreads(1)
    faces, pictures = open_dataset(given.faces), open_dataset(given.negatives)
    tqdm.write(
        f"{len(faces)} pictures of faces, {len(pictures)} negative pictures, "
        f"{options.drawn_negatives} drawn; up to {options.stages} stages of "
        f"{options.face_count} faces against {options.negative_count} windows",
        file=sys.stderr,
    )
    if given.dry_run:
        faces.picture(0)
        pictures.picture(0)
        tqdm.write(f"would write {given.out}", file=sys.stderr)
        return
    chosen = options.chosen(len(faces))
    face_pictures = [faces.picture(i) for i in tqdm(chosen, desc="faces")]
    negatives = prepare_negatives(
        (pictures.picture(i) for i in tqdm(range(len(pictures)), desc="negatives")),
        given.mask_faces,
        options,
    )
    folder = given.out.with_name(f"{given.out.name}.stages")
    with tqdm(total=options.stages, desc="stages") as bar:
        cascade = train_cascade(
            face_pictures,
            negatives,
            options,
            folder,
            lambda text: tqdm.write(text, file=sys.stderr),
            lambda count: bar.update(count - bar.n),
        )
    write_atomically(given.out, cascade.to_xml())
    stumps = sum(len(stage.stumps) for stage in cascade.stages)
    tqdm.write(f"{given.out}: {len(cascade.stages)} stages, {stumps} stumps", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
