import hashlib

from avatargan import AvatarPipeline
from avatargan.weights_header import SHIPPED_GENERATOR, shipped_weights


def test_json_tells_what_the_pipeline_would_use(run):
    facts = run("info", "--json").json
    path = shipped_weights(SHIPPED_GENERATOR)
    pipeline = AvatarPipeline.load()
    assert facts["weights"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    tensors = pipeline.generator.state_dict().values()
    assert facts["weights"]["parameters"] == sum(tensor.numel() for tensor in tensors)
    assert facts["sizes"] == list(pipeline.sizes)
    assert {name: tuple(each["choices"]) for name, each in facts["attributes"].items()} == {
        name: pipeline.attributes.offered(name) for name in pipeline.attributes
    }
    named = "ncnn" if facts["engine"] == "ncnn" else facts["device"]
    assert named in pipeline.renderer.description.lower()


def test_text_names_attributes_and_versions(run_small):
    text = run_small("info").stdout
    for expected in ("glasses  yes, no", "32 px, 64 px, 128 px", "SHA-256", "torch"):
        assert expected in text


def test_the_device_is_checked(run):
    assert "did you mean 'cuda'?" in run("info", "--device", "cud").error
