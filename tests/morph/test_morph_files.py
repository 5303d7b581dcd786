"""The files are proven with the readers people use: Pillow, ffprobe and webpmux."""

import gc
import json
import subprocess
import weakref

import numpy as np
import pytest
from animations import coloured_frames, read_frames
from PIL import Image

from avatargan.errors import MissingExtraError, OptionError, OutputError, PictureError, RecipeError
from avatargan.morph import animate, plan_morph, read_morph, write_animation
from avatargan.transparency import can_remove_backgrounds

PILLOW_FORMATS = [".webp", ".gif", ".png", ".apng"]
SOFT_ALPHA_FORMATS = [".webp", ".png", ".apng"]
FILE_FORMATS = [*PILLOW_FORMATS, ".mp4"]


def probe(ffprobe, path):
    entries = "stream=codec_name,pix_fmt,nb_read_frames,avg_frame_rate,duration,color_space"
    command = [ffprobe, "-v", "error", "-count_frames", "-show_entries", entries]
    done = subprocess.run(
        [*command, "-show_entries", "format_tags", "-of", "json", path],
        capture_output=True,
        check=True,
    )
    document = json.loads(done.stdout)
    return document["streams"][0] | document["format"].get("tags", {})


@pytest.mark.parametrize("extension", PILLOW_FORMATS)
@pytest.mark.parametrize("loop", [True, False])
def test_pillow_reads_frames_timing_and_loop(make_clip, tmp_path, extension, loop):
    path = tmp_path / f"clip{extension}"
    write_animation(make_clip(coloured_frames(24), fps=12, loop=loop), path)
    frames = read_frames(path)
    assert len(frames) == 24
    assert {frame.size for frame in frames} == {(32, 32)}
    assert sum(frame.info["duration"] for frame in frames) == pytest.approx(2000)
    with Image.open(path) as image:
        # GIFs that are to be played once say nothing of loops.
        assert image.info.get("loop", "none") == (
            0 if loop else "none" if ".gif" in extension else 1
        )


@pytest.mark.parametrize("extension", [".gif", ".png", ".mp4"])
def test_ffprobe_reads_frames_and_timing(make_clip, tmp_path, ffprobe, extension):
    path = tmp_path / f"clip{extension}"
    write_animation(make_clip(coloured_frames(24), fps=12), path)
    found = probe(ffprobe, path)
    assert found["nb_read_frames"] == "24"
    assert found["avg_frame_rate"] == "12/1"
    if extension != ".png":  # ffprobe tells no duration of APNG
        assert float(found["duration"]) == pytest.approx(2)


def test_webpmux_reads_frames_timing_and_loop(make_clip, tmp_path, webpmux):
    path = tmp_path / "clip.webp"
    write_animation(make_clip(coloured_frames(24, alpha=True), fps=12), path)
    done = subprocess.run([webpmux, "-info", path], capture_output=True, text=True, check=True)
    assert "Canvas size: 32 x 32" in done.stdout
    assert "Loop Count : 0" in done.stdout
    assert "Number of frames: 24" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert sum(int(row[6]) for row in rows) == 2000
    assert {row[3] for row in rows} == {"yes"}  # alpha


@pytest.mark.parametrize("extension", FILE_FORMATS)
def test_frames_that_look_alike_stay_apart(make_clip, tmp_path, ffprobe, extension):
    path = tmp_path / f"still{extension}"
    write_animation(make_clip(coloured_frames(1) * 6), path)
    if extension == ".mp4":
        assert probe(ffprobe, path)["nb_read_frames"] == "6"
    else:
        assert len(read_frames(path)) == 6


@pytest.mark.parametrize(
    ("extension", "error"), [(".png", 0), (".apng", 0), (".webp", 4), (".gif", 10)]
)
def test_frames_come_back_as_they_were(make_clip, tmp_path, extension, error):
    frames = coloured_frames(5)
    path = tmp_path / f"clip{extension}"
    write_animation(make_clip(frames), path)
    for before, after in zip(frames, read_frames(path), strict=True):
        difference = np.asarray(before, int) - np.asarray(after.convert("RGB"), int)
        assert np.abs(difference).mean() <= error


def test_video_keeps_colours(make_clip, tmp_path):
    """A mix-up of colour matrices would shift every one of these by 5 or more."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (230, 180, 160), (255, 255, 255)]
    path = tmp_path / "clip.mp4"
    write_animation(make_clip([Image.new("RGB", (64, 64), colour) for colour in colours]), path)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-vf"]
    command += ["scale=in_color_matrix=auto:in_range=auto", "-f", "rawvideo"]
    done = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True)
    read = np.frombuffer(done.stdout, np.uint8).reshape(-1, 64, 64, 3).mean(axis=(1, 2))
    assert np.abs(read - np.array(colours)).max() < 4


def test_video_is_what_players_want(make_clip, tmp_path, ffprobe):
    path = tmp_path / "clip.mp4"
    write_animation(make_clip(coloured_frames(4)), path)
    found = probe(ffprobe, path)
    assert (found["codec_name"], found["pix_fmt"]) == ("h264", "yuv420p")
    assert found["color_space"] == "bt709"
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # plays while it loads


@pytest.mark.parametrize("extension", SOFT_ALPHA_FORMATS)
def test_soft_alpha_survives(make_clip, tmp_path, extension):
    frames = coloured_frames(4, alpha=True)
    path = tmp_path / f"clip{extension}"
    write_animation(make_clip(frames), path)
    for before, after in zip(frames, read_frames(path), strict=True):
        assert np.array_equal(np.asarray(before)[..., 3], np.asarray(after)[..., 3])


def test_gif_alpha_is_on_or_off(make_clip, tmp_path):
    frames = coloured_frames(4, alpha=True)
    path = tmp_path / "clip.gif"
    write_animation(make_clip(frames), path)
    for before, after in zip(frames, read_frames(path), strict=True):
        opaque = np.asarray(before)[..., 3] >= 128
        assert np.array_equal(np.asarray(after)[..., 3], np.where(opaque, 255, 0))
        difference = np.asarray(before, int)[opaque] - np.asarray(after, int)[opaque]
        assert np.abs(difference[:, :3]).mean() < 10


def test_gif_delays_add_up_to_the_right_total(make_clip, tmp_path):
    """24 frames a second are 4 1/6 hundredths each, which GIF cannot say."""
    path = tmp_path / "clip.gif"
    write_animation(make_clip(coloured_frames(48), fps=24), path)
    delays = [frame.info["duration"] for frame in read_frames(path)]
    assert set(delays) == {40, 50}
    assert sum(delays) == 2000


def test_gif_keeps_the_colour_of_small_things(make_clip, tmp_path):
    """Red eyes in a blue picture: means of clusters would grey them."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 2] = np.arange(64)[:, None] * 3 + 40
    pixels[..., 0] = np.arange(64)[None, :]
    pixels[30:34, 30:34] = 230, 20, 30
    path = tmp_path / "clip.gif"
    write_animation(make_clip([Image.fromarray(pixels)] * 2), path)
    eye = np.asarray(read_frames(path)[0], int)[31:33, 31:33, :3].mean(axis=(0, 1))
    assert np.abs(eye - (230, 20, 30)).max() < 12


def test_a_folder_holds_every_frame_and_the_plan(make_clip, tmp_path):
    frames = coloured_frames(12)
    folder = tmp_path / "frames"
    write_animation(make_clip(frames), folder)
    names = sorted(path.name for path in folder.glob("*.png"))
    assert names == [f"frame_{number:04d}.png" for number in range(12)]
    for name, frame in zip(names, frames, strict=True):
        assert np.array_equal(np.asarray(Image.open(folder / name)), np.asarray(frame))
    assert json.loads((folder / "morph.json").read_text())["note"]


@pytest.mark.parametrize("name", ["m.webp", "m.gif", "m.png", "m.apng", "frames"])
def test_the_plan_can_be_read_back(pipeline, tmp_path, name):
    morph = plan_morph(pipeline, [1, 2], seconds=1, fps=3, size=128, hair=["pink", "red", "blue"])
    write_animation(animate(pipeline, morph), tmp_path / name)
    assert read_morph(tmp_path / name) == morph


def test_video_says_what_it_was_drawn_from(make_clip, tmp_path, ffprobe):
    clip = make_clip(coloured_frames(2))
    write_animation(clip, tmp_path / "clip.mp4")
    assert probe(ffprobe, tmp_path / "clip.mp4")["comment"] == clip.metadata


def test_files_without_a_plan_are_refused(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.webp")
    with pytest.raises(RecipeError, match="no morph in this file"):
        read_morph(tmp_path / "plain.webp")
    with pytest.raises(RecipeError, match=r"no morph\.json"):
        read_morph(tmp_path)
    with pytest.raises(PictureError):
        read_morph(tmp_path / "gone.gif")


@pytest.mark.parametrize("name", [f"clip{extension}" for extension in FILE_FORMATS] + ["frames"])
def test_memory_is_flat(make_clip, tmp_path, name):
    """Of 200 frames, only a few are alive at any time."""
    alive = weakref.WeakValueDictionary()
    most = 0
    picture = coloured_frames(1)[0]

    def frames():
        nonlocal most
        for number in range(200):
            frame = picture.point(lambda value, shift=number: value + shift % 7)
            alive[number] = frame
            most = max(most, len(alive))
            yield frame
            del frame

    gc.collect()
    clip = make_clip([picture], frames=frames(), count=200)
    write_animation(clip, tmp_path / name)
    assert most < 50


@pytest.mark.parametrize("name", [f"clip{extension}" for extension in FILE_FORMATS] + ["frames"])
def test_nothing_is_left_of_a_file_that_was_broken_off(make_clip, tmp_path, name):
    def breaks_off():
        yield from coloured_frames(3)
        raise KeyboardInterrupt

    clip = make_clip(coloured_frames(3), frames=breaks_off(), count=9)
    with pytest.raises(KeyboardInterrupt):
        write_animation(clip, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("extension", [*FILE_FORMATS, ""])
def test_what_is_there_is_kept_unless_asked(make_clip, tmp_path, extension):
    path = tmp_path / f"clip{extension}"
    write_animation(make_clip(coloured_frames(2)), path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()}
    with pytest.raises(OutputError, match="exists already"):
        write_animation(make_clip(coloured_frames(3)), path)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()}
    write_animation(make_clip(coloured_frames(1) * 2), path, overwrite=True)
    assert before != {file: file.read_bytes() for file in tmp_path.rglob("*.*") if file.is_file()}


def test_a_shorter_morph_leaves_no_old_frames_behind(make_clip, tmp_path):
    write_animation(make_clip(coloured_frames(5)), tmp_path / "frames")
    write_animation(make_clip(coloured_frames(2)), tmp_path / "frames", overwrite=True)
    assert len(list((tmp_path / "frames").glob("*.png"))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_other_peoples_files_are_never_touched(make_clip, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"holds 'holiday\.jpg'"):
        write_animation(make_clip(coloured_frames(2)), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_impossible_files_are_refused_before_anything_is_drawn(make_clip, tmp_path):
    def untouchable():
        raise AssertionError("a frame was drawn")
        yield

    frames = coloured_frames(2)

    def refuse(name, error, message, **changes):
        clip = make_clip(frames, frames=untouchable(), **changes)
        with pytest.raises(error, match=message):
            write_animation(clip, tmp_path / name)

    refuse("clip.wbep", OptionError, r"no animation format '\.wbep'; did you mean '\.webp'")
    refuse("clip.mov", OptionError, r"formats: \.webp, \.gif")
    refuse("clip.gif", OptionError, "more than 50 frames a second", fps=60)
    refuse("clip.mp4", OptionError, "no transparency", transparent=True)
    refuse("clip.mp4", OptionError, "even side", size=31)
    (tmp_path / "taken.webp").mkdir()
    refuse("taken.webp", OutputError, "is a folder")
    (tmp_path / "taken").write_text("")
    refuse("taken", OutputError, "is a file")


def test_missing_ffmpeg_is_named_with_its_remedy(make_clip, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match="pip install imageio-ffmpeg"):
        write_animation(make_clip(coloured_frames(2)), tmp_path / "clip.mp4")


def test_what_ffmpeg_complains_of_is_passed_on(make_clip, tmp_path, monkeypatch):
    import sys

    monkeypatch.setattr("avatargan.morph.encoders.mp4.find_ffmpeg", lambda: sys.executable)
    with pytest.raises(OutputError, match="ffmpeg could not write the video: "):
        write_animation(make_clip(coloured_frames(2)), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_strip_is_a_sheet_with_an_atlas(make_clip, tmp_path):
    frames = coloured_frames(12)
    files = write_animation(make_clip(frames), tmp_path / "walk.png", strip=True)
    assert files == [tmp_path / "walk.png", tmp_path / "walk.json"]
    sheet = np.asarray(Image.open(files[0]))
    assert sheet.shape == (32, 12 * 32, 3)
    atlas = json.loads(files[1].read_text())
    assert atlas["animations"] == {"walk": [f"walk_{number:04d}" for number in range(12)]}
    assert list(atlas["frames"]) == atlas["animations"]["walk"]
    assert atlas["meta"]["image"] == "walk.png"
    assert atlas["meta"]["size"] == {"w": 12 * 32, "h": 32}
    for frame, entry in zip(frames, atlas["frames"].values(), strict=True):
        assert not entry["rotated"]
        assert not entry["trimmed"]
        place = entry["frame"]
        cut = sheet[place["y"] : place["y"] + place["h"], place["x"] : place["x"] + place["w"]]
        assert np.array_equal(cut, np.asarray(frame))


def test_a_long_strip_goes_on_in_a_second_row(make_clip, tmp_path):
    write_animation(
        make_clip([Image.new("RGB", (512, 512))] * 9), tmp_path / "long.png", strip=True
    )
    with Image.open(tmp_path / "long.png") as sheet:
        assert sheet.size == (4096, 1024)
    last = json.loads((tmp_path / "long.json").read_text())["frames"]["long_0008"]["frame"]
    assert (last["x"], last["y"], last["w"], last["h"]) == (0, 512, 512, 512)


def test_a_strip_keeps_alpha(make_clip, tmp_path):
    frames = coloured_frames(3, alpha=True)
    write_animation(make_clip(frames), tmp_path / "walk.png", strip=True)
    expected = np.concatenate([np.asarray(frame) for frame in frames], axis=1)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "walk.png")), expected)


def test_impossible_strips_are_refused(make_clip, tmp_path):
    clip = make_clip(coloured_frames(2), count=300, size=512)
    with pytest.raises(OptionError, match="holds 128 frames of 512 px, not 300"):
        write_animation(clip, tmp_path / "walk.png", strip=True)
    with pytest.raises(OptionError, match=r"should end in \.png"):
        write_animation(make_clip(coloured_frames(2)), tmp_path / "walk.gif", strip=True)
    (tmp_path / "walk.json").write_text("precious")
    with pytest.raises(OutputError, match=r"walk\.json exists already"):
        write_animation(make_clip(coloured_frames(2)), tmp_path / "walk.png", strip=True)
    assert [path.name for path in tmp_path.iterdir()] == ["walk.json"]


class RoundMatter:
    """Stands in for the matting network: keeps a disc."""

    def cut_out(self, image):
        across = np.linspace(-1, 1, image.width)
        inside = across[:, None] ** 2 + across[None, :] ** 2 < 1
        cut = image.copy()
        cut.putalpha(Image.fromarray(np.where(inside, 255, 0).astype(np.uint8)))
        return cut


@pytest.mark.parametrize("extension", PILLOW_FORMATS)
def test_transparent_morphs_are_cut_out(pipeline, tmp_path, monkeypatch, extension):
    monkeypatch.setattr("avatargan.morph.animation.load_background_remover", RoundMatter)
    morph = plan_morph(pipeline, [1, 2], seconds=1, fps=3, size=128, transparent=True)
    path = tmp_path / f"clip{extension}"
    write_animation(animate(pipeline, morph), path)
    for frame in read_frames(path):
        assert frame.getpixel((0, 0))[3] == 0
        assert frame.getpixel((64, 64))[3] == 255


def test_transparent_morphs_use_the_matting_network(pipeline, tmp_path):
    if not can_remove_backgrounds():
        pytest.skip("the weights of the matting network are not there")
    morph = plan_morph(pipeline, [1, 2], seconds=1, fps=2, size=128, transparent=True)
    write_animation(animate(pipeline, morph), tmp_path / "clip.png")
    for frame in read_frames(tmp_path / "clip.png"):
        alpha = np.asarray(frame)[..., 3]
        assert alpha[60:90, 50:80].mean() > 250  # the face
        assert (alpha < 250).any()
