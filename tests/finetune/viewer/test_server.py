import signal
import socket
from pathlib import Path

import pytest
from view_server import Served, view

pytest.importorskip("panel")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("shown")
    (folder / "cells.csv").write_text("cell,area\na,3\n")
    with view(folder) as server:
        yield server


def test_the_address_with_its_token_opens_the_page(served: Served):
    status, content = served.get("/{token}/")
    assert status == 200
    assert b"<title>finetune</title>" in content


def test_the_page_names_no_other_server(served: Served):
    content = served.get("/{token}/")[1].decode()
    assert "https://" not in content.replace("https://panel.holoviz.org", "")


@pytest.mark.parametrize(
    "path", ["/", "/wrong/", "/{token}x/", "/static/js/bokeh.min.js", "/ws", "//{token}/"]
)
def test_without_the_token_nothing_is_served(served: Served, path: str):
    assert served.get(path)[0] == 403


def test_scripts_are_served_by_the_server_itself(served: Served):
    assert served.get("/{token}/static/js/bokeh.min.js")[0] == 200


def test_another_host_name_is_refused_because_it_may_be_rebound_to_this_computer(served: Served):
    assert served.get("/{token}/", Host="evil.example:5006")[0] == 403


def test_a_request_from_another_page_is_refused(served: Served):
    assert served.get("/{token}/", Origin="http://evil.example")[0] == 403
    assert served.get("/{token}/", Origin="http://{host}")[0] == 200


def test_a_web_socket_from_another_page_is_refused(served: Served):
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert served.get("/{token}/ws", Origin="http://evil.example", **handshake)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(served: Served, method: str):
    assert served.get("/{token}/", method=method)[0] == 403


def test_files_are_not_served_by_their_path(served: Served):
    for path in (
        "/{token}/cells.csv",
        "/{token}/static/../cells.csv",
        "/{token}/static/%2e%2e/%2e%2e/etc/passwd",
    ):
        assert served.get(path)[0] in {403, 404}


def test_the_server_listens_on_this_computer_only(served: Served):
    port = int(served.url.split(":")[2].split("/")[0])
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in (Path(table).read_text().splitlines()[1:] if Path(table).exists() else [])
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    ]
    assert set(listening) == ({f"0100007F:{port:04X}"} if Path("/proc/net/tcp").exists() else set())


def test_a_second_viewer_takes_the_next_port_and_ctrl_c_ends_it(served: Served, tmp_path: Path):
    (tmp_path / "other.csv").write_text("a\n1\n")
    with view(tmp_path / "other.csv") as second:
        assert second.url.split("/")[2] != served.url.split("/")[2]
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(20) == 130
        assert "Traceback" not in second.process.stderr.read()  # type: ignore[union-attr]


def test_a_folder_without_anything_to_show_is_reported_in_one_line(command, tmp_path: Path):
    done = command("view", tmp_path, "--no-browser")
    assert done.returncode == 2
    assert done.stderr.startswith(f"finetune: {tmp_path}: no run, CSV, image")


def test_a_port_that_is_taken_is_reported_in_one_line(command, tmp_path: Path):
    (tmp_path / "table.csv").write_text("a\n1\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = command("view", tmp_path, "--no-browser", f"--port={port}")
    assert done.returncode == 2
    assert done.stderr == f"finetune: port {port} is in use; choose another with --port\n"
