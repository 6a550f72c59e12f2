"""Clips: what is decoded, how it sounds afterwards, and what is said about files that are none."""

import hashlib
import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ambi_tasks.audio import (
    SAMPLING_RATE,
    AudioArgument,
    Clip,
    audio_fault,
    clip_sha256,
    load_waveform,
    silent_clip,
)
from ambi_tasks.errors import UserError
from tests.corpora.builders import LFS_STUB, write_tone


def peak_frequency(samples, rate=SAMPLING_RATE):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.fixture
def tone(tmp_path):
    return str(write_tone(tmp_path / "tone.wav", seconds=1.0))


@pytest.mark.parametrize(
    ("name", "settings", "tolerance"),
    [
        ("pcm16.wav", {}, 1e-4),
        ("pcm8.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("pcm24.wav", {"subtype": "PCM_24"}, 1e-6),
        ("float.wav", {"subtype": "FLOAT"}, 1e-6),
        ("flac.flac", {}, 1e-4),
    ],
)
def test_decodes_what_was_written(tmp_path, name, settings, tolerance):
    path = write_tone(tmp_path / name, seconds=0.5, **settings)
    samples = load_waveform(Clip(str(path)))
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16_000)
    assert samples.dtype == np.float32
    assert samples.shape == (8000,)
    assert np.abs(samples - wanted).max() < tolerance


def test_channels_are_averaged(tmp_path):
    mono = load_waveform(Clip(str(write_tone(tmp_path / "mono.wav"))))
    stereo = load_waveform(Clip(str(write_tone(tmp_path / "stereo.wav", channels=2))))
    assert stereo == pytest.approx(mono / 2, abs=1e-6)  # the second channel is silent


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_pitch_length_and_level(tmp_path, rate):
    path = write_tone(tmp_path / "tone.wav", seconds=0.5, rate=rate, frequency=1000.0)
    samples = load_waveform(Clip(str(path)))
    assert samples.dtype == np.float32
    assert abs(len(samples) - 8000) <= 1
    assert peak_frequency(samples) == pytest.approx(1000.0, abs=3.0)
    assert np.abs(samples[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


def test_another_rate_can_be_asked_for(tone):
    samples = load_waveform(Clip(tone), sampling_rate=8_000)
    assert len(samples) == 8000
    assert peak_frequency(samples, rate=8_000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (None, None, 0, 16_000),
        (0.25, None, 4_000, 16_000),
        (None, 0.5, 0, 8_000),
        (0.25, 0.5, 4_000, 8_000),
        (0.9, 1.5, 14_400, 16_000),  # annotation may round the end up
    ],
)
def test_stretches(tone, start, end, first, last):
    whole = load_waveform(Clip(tone))
    assert np.array_equal(load_waveform(Clip(tone, start, end)), whole[first:last])


@pytest.mark.parametrize(
    ("start", "end"), [(1.0, None), (7.0, None), (7.0, 8.0), (0.5, 0.5), (0.5, 0.2), (-0.1, None)]
)
def test_a_stretch_outside_the_file(tone, start, end):
    with pytest.raises(UserError, match=r"tone\.wav\[.*holds no samples; the file lasts 1\.000 s"):
        load_waveform(Clip(tone, start, end))


def test_a_stretch_too_short_for_the_wanted_rate(tmp_path):
    path = write_tone(tmp_path / "one.wav", seconds=1 / 96_000, rate=96_000)
    with pytest.raises(UserError, match="too short to hold a sample at 16000 Hz"):
        load_waveform(Clip(str(path)))


def truncated(wav):
    return wav[: len(wav) // 2]


def piped(wav):
    """What a program writes that cannot seek back to the header."""
    unknown = struct.pack("<I", 0xFFFF_FFFF)
    return wav[:4] + unknown + wav[8:40] + unknown + wav[44:]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _: LFS_STUB.encode(), r"Git LFS stub.*`git lfs pull`"),
        (lambda _: b"", "the audio file is empty"),
        (lambda wav: wav[:44], "the audio file is empty"),
        (truncated, "the audio file is cut off"),
    ],
    ids=["lfs_stub", "empty", "header_only", "truncated"],
)
def test_faults_that_show_before_decoding(tone, tmp_path, change, fault):
    path = tmp_path / "broken.wav"
    path.write_bytes(change(Path(tone).read_bytes()))
    clip = Clip(str(path))
    with pytest.raises(UserError, match=rf"broken\.wav: .*{fault}.*\.$") as refusal:
        load_waveform(clip)
    assert str(refusal.value) == f"{clip}: {audio_fault(clip)}."


def announcing_a_lost_chunk(wav):
    return wav[:4] + struct.pack("<I", len(wav) + 200) + wav[8:]


@pytest.mark.parametrize(
    "change",
    [piped, announcing_a_lost_chunk, lambda wav: wav[:-1], lambda wav: wav + b"LIST\0\0\0\0"],
    ids=["piped", "lost_chunk", "odd_byte", "trailing_chunk"],
)
def test_harmless_differences_from_the_header(tone, tmp_path, change):
    path = tmp_path / "odd.wav"
    path.write_bytes(change(Path(tone).read_bytes()))
    assert audio_fault(Clip(str(path))) is None
    assert abs(len(load_waveform(Clip(str(path)))) - 16_000) <= 1


def test_a_missing_file(tmp_path):
    clip = Clip(str(tmp_path / "absent.wav"))
    assert audio_fault(clip) == "the audio file is missing"
    with pytest.raises(UserError, match=r"absent\.wav: the audio file is missing\.$"):
        load_waveform(clip)


def test_a_folder_in_place_of_a_file(tmp_path):
    fault = audio_fault(Clip(str(tmp_path)))
    assert fault is not None
    assert fault.startswith("the audio file cannot be read (")


@pytest.mark.parametrize("name", ["text.wav", "text.raw", "text.flac"])
def test_a_file_that_is_no_audio(tmp_path, name):
    path = tmp_path / name
    path.write_text("These are words, and no sound at all. " * 20)
    with pytest.raises(UserError, match=rf"{name}: cannot be decoded as audio"):
        load_waveform(Clip(str(path)))


def test_a_truncated_flac(tmp_path):
    path = write_tone(tmp_path / "cut.flac", seconds=1.0)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"cut\.flac: cannot be decoded as audio"):
        load_waveform(Clip(str(path)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite(tmp_path, value):
    samples = np.zeros(1600, dtype=np.float32)
    samples[800] = value
    path = tmp_path / "nan.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"nan\.wav: holds samples that are not finite"):
        load_waveform(Clip(str(path)))


def test_float_wav_without_samples(tmp_path):
    path = write_tone(tmp_path / "none.wav", seconds=0.0, subtype="FLOAT")
    with pytest.raises(UserError, match=r"none\.wav: holds no samples; the file lasts 0\.000 s"):
        load_waveform(Clip(str(path)))


@pytest.mark.parametrize(
    ("clip", "shown"),
    [
        (Clip("a.wav"), "a.wav"),
        (Clip("a.wav", 0.5), "a.wav[0.500:]"),
        (Clip("a.wav", None, 2), "a.wav[0.000:2.000]"),
    ],
)
def test_clips_as_messages_show_them(clip, shown):
    assert str(clip) == shown


def test_argument_survives_json_and_pickle(tone):
    argument = AudioArgument(path=tone, start=0.25, end=None)
    assert json.loads(json.dumps(argument)) == {"path": tone, "start": 0.25, "end": None}
    copy = pickle.loads(pickle.dumps(argument))
    assert isinstance(copy, AudioArgument)
    assert copy == argument


def test_argument_decodes_when_asked_and_keeps_nothing(tone):
    argument = AudioArgument(path=tone, start=0.25, end=0.5)
    assert np.array_equal(argument["array"], load_waveform(Clip(tone, 0.25, 0.5)))
    assert argument["sampling_rate"] == 16_000
    assert argument == {"path": tone, "start": 0.25, "end": 0.5}
    with pytest.raises(KeyError, match="samples"):
        argument["samples"]


def test_hash_is_of_the_sound_and_not_of_the_path(tone, tmp_path):
    copy = tmp_path / "elsewhere" / "copy.wav"
    copy.parent.mkdir()
    shutil.copy(tone, copy)
    assert clip_sha256(Clip(str(copy))) == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert clip_sha256(Clip(str(copy))) == clip_sha256(Clip(tone))
    assert clip_sha256(Clip(str(copy), 0.5)) == clip_sha256(Clip(tone, 0.5))
    other = write_tone(tmp_path / "other.wav", seconds=1.0, frequency=441)
    assert clip_sha256(Clip(str(other))) != clip_sha256(Clip(tone))


def test_hash_tells_stretches_apart(tone):
    stretches = [(None, None), (0.5, None), (None, 0.5), (0.25, 0.5)]
    assert len({clip_sha256(Clip(tone, *stretch)) for stretch in stretches}) == len(stretches)
    # The same stretch, written differently.
    assert clip_sha256(Clip(tone, 0.0)) == clip_sha256(Clip(tone))
    assert clip_sha256(Clip(tone, None, 1)) == clip_sha256(Clip(tone, 0.0, 1.0))


def test_hash_of_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"absent\.wav: the audio file cannot be read"):
        clip_sha256(Clip(str(tmp_path / "absent.wav")))


def test_a_silent_clip(tmp_path, monkeypatch):
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    first, again = silent_clip(), silent_clip()
    assert first == again
    assert not load_waveform(first).any()
    assert len(load_waveform(first)) == 2 * SAMPLING_RATE
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["silence.wav"]


def test_a_silent_clip_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setenv("AMBI_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match=r"silent clip cannot be written to .*set AMBI_CACHE"):
        silent_clip()


def test_clips_as_mappings(tone):
    clip = Clip(tone, 0.25, None)
    assert Clip.from_mapping(json.loads(json.dumps(clip.mapping()))) == clip
