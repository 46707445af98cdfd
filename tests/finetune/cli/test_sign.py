"""`finetune sign` and `finetune verify`: exit codes, one line for each error, no password in the output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from signers import make_run, write_key
from typer.testing import CliRunner

from cards.errors import InputError
from finetune.cli.main import app


def call(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "author.pem", ec.generate_private_key(ec.SECP256R1()))


def test_sign_prints_the_signatures_and_verify_accepts_them(run: Path, key: Path) -> None:
    result = call("sign", run, "--key", key)
    assert result.exit_code == 0, result.output
    names = [f"huggingface/{name}.sig" for name in ("package", "native", "model")] + ["model.sig"]
    assert result.stdout.split() == [str(run / name) for name in names]
    result = call("verify", run, "--key", key.with_suffix(".pub"))
    assert result.exit_code == 0, result.output
    assert "signed with key author.pub" in result.stdout and "signed files are unchanged" in result.stdout


def test_verify_ends_with_exit_code_1_if_a_file_has_changed(run: Path, key: Path) -> None:
    call("sign", run, "--key", key)
    (run / "huggingface" / "README.md").write_text("Dice 0.99")
    result = call("verify", run, "--key", key.with_suffix(".pub"))
    assert result.exit_code == 1
    assert "changed after signing: huggingface/README.md" in result.stdout


def test_the_audit_names_the_signer(run: Path, key: Path) -> None:
    call("sign", run, "--key", key)
    result = call("audit", run, "--key", key.with_suffix(".pub"))
    assert "model.sig was made by the owner of author.pub." in result.stdout


def test_the_password_of_a_key_comes_from_the_environment(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_key(tmp_path / "secret.pem", ec.generate_private_key(ec.SECP256R1()), "open sesame")
    result = call("sign", run, "--key", path)
    assert isinstance(result.exception, InputError) and "FINETUNE_KEY_PASSWORD" in str(result.exception)
    monkeypatch.setenv("FINETUNE_KEY_PASSWORD", "open sesame")
    result = call("sign", run, "--key", path)
    assert result.exit_code == 0, result.output
    assert "open sesame" not in result.output


def test_ctrl_d_at_the_password_ends_the_command_without_a_traceback(run: Path, tmp_path: Path) -> None:
    path = write_key(tmp_path / "secret.pem", ec.generate_private_key(ec.SECP256R1()), "open sesame")
    pty = pytest.importorskip("pty")  # terminals of Unix
    terminal, stdin = pty.openpty()
    command = [sys.executable, "-m", "finetune.cli", "sign", str(run), "--key", str(path)]
    with subprocess.Popen(command, stdin=stdin, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stderr is not None
        assert process.stderr.read(8) == b"Password"  # from here on, what is typed is read
        os.write(terminal, b"\x04")
        errors = process.stderr.read()
    os.close(terminal)
    os.close(stdin)
    assert process.returncode == 1
    assert b"Traceback" not in errors
    assert not (run / "model.sig").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sign", "RUN"], "--key FILE or --sigstore"),
        (["sign", "RUN", "--key", "absent.pem"], "absent.pem"),
        (["sign", "RUN", "--sigstore", "--certificate", "c.pem"], "--certificate needs"),
        (["sign", "absent", "--key", "KEY"], "no such folder"),
        (["sign", ".", "--key", "KEY"], "record"),
        (["verify", "RUN"], "exactly one of"),
        (["verify", "RUN", "--identity", "me@example.org"], "--issuer"),
        (["verify", "RUN", "--key", "KEY"], "no model.sig"),
    ],
)
def test_wrong_use_is_one_line(
    run: Path,
    key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(run), "KEY": str(key)}
    result = call(*(places.get(argument, argument) for argument in arguments))
    assert isinstance(result.exception, InputError), result.output
    assert words in str(result.exception) and "\n" not in str(result.exception)
    assert not list(run.rglob("*.sig"))
