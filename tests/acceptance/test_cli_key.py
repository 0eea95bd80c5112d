"""`dirigent key`, and a data folder in which nothing can be read without it."""

from __future__ import annotations

import base64
import gzip
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dirigent import Dirigent
from dirigent.domain.envelope import Envelope
from dirigent.ports import MemoryItem
from dirigent.settings import read_settings
from tests.acceptance.terminal import TENANT, Said, dirigent, write_books
from tests.acceptance.test_seed_workflows import PRINTED, Content

NAME = "AI-Powered Content Creation"
CANARY = "canary-that-sings-at-dawn"
HELLO = Path(__file__).parents[2] / "examples" / "workflows" / "hello.yaml"


def forms(text: str) -> Iterator[bytes]:
    """The ways in which a text may stand in a file."""
    for written in (text, text.lower(), text.upper(), text.lower().replace(" ", "-")):
        yield written.encode()
        yield written.encode("utf-16-le")
        yield written.encode("utf-16-be")
        yield written.encode().hex().encode()
    for shift in range(3):  # base64 depends on where in three bytes a text begins
        yield base64.b64encode(b" " * shift + text.encode())[4:-4]


def showing(folder: Path) -> set[str]:
    """The files of a data folder from which the name or the canary can be read."""
    wanted = [form for text in (NAME, CANARY) for form in forms(text)]
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.name for file in files if any(form in file.read_bytes() for form in wanted)}


async def live(folder: Path, environment: dict[str, str]) -> set[str]:
    """Save and run the printed workflow, use everything a folder has; which files show it, open or closed."""

    def echo(payload: object) -> Envelope:
        raise ValueError(f"cannot do {payload}")

    settings = read_settings(environment, folder=folder, data_folder=folder)
    echoing = type("Echoing", (), {"run": staticmethod(echo)})()
    async with Dirigent(settings=settings, agents=[Content()], flows={"echo": echoing}) as engine:
        await engine.library.save(PRINTED.read_text(), tenant=TENANT, actor="ann")
        reading = await engine.run(PRINTED, {"brand_id": CANARY, "content_topic": "espresso"})
        assert reading.status == "completed"
        engine.snapshots.keep(reading.execution_id, CANARY.encode())
        engine.records.save(TENANT, "products", [{"sku": "a", "name": CANARY, "price": 1.0}])
        item = MemoryItem(id="1", kind="note", text=CANARY, data={}, created_at="2024-01-01", source="test")
        engine.memory.store(TENANT, [item])
        engine.work.manager.ingest_event({"flow": "echo", "payload": {"text": CANARY}})
        assert await engine.work.worker(emit=lambda event: None).work_once() is not None
        found = showing(folder)
        assert (folder / "journal.db-wal").stat().st_size
    return found | showing(folder)


async def test_no_file_shows_the_printed_workflow_or_its_input(tmp_path: Path) -> None:
    """Without a key every database shows one of the two; with a key no file does, not even the WAL."""
    plain = await live(tmp_path / "plain", {})
    databases = {file.name for file in (tmp_path / "plain").glob("*.db")}
    assert databases == {"journal.db", "records.db", "memory.db", "snapshots.db", "queue.db", "audit.db"}
    assert databases <= {name.removesuffix("-wal") for name in plain}
    assert "journal.db-wal" in plain
    key = dirigent("key", "new").out.strip()
    assert await live(tmp_path / "encrypted", {"DIRIGENT_KEY": key}) == set()
    settings = read_settings({"DIRIGENT_KEY": key}, folder=tmp_path, data_folder=tmp_path / "encrypted")
    async with Dirigent(settings=settings) as engine:
        assert [row.name for row in engine.library.rows(TENANT)] == [NAME]
        assert not engine.engine.verify().damages


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "first.key"
    assert dirigent("key", "new", "--file", file).code == 0
    return file


def under(key: Path, *words: object, data: Path) -> Said:
    return dirigent(*words, data=data, DIRIGENT_KEY_FILE=str(key))


def test_new_writes_a_file_for_its_owner_alone(tmp_path: Path, key: Path) -> None:
    """A file that is there is not written over: the key in it may be in use."""
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    content = key.read_text()
    said = dirigent("key", "new", "--file", key)
    assert said.code == 2
    assert "is there already" in said.err
    assert key.read_text() == content
    assert len(dirigent("key", "new", "-o", "json").data["key"]) == 43
    assert dirigent("key", "new", "--file", tmp_path / "other", "-o", "json").data == {
        "file": str(tmp_path / "other")
    }


def test_every_command_works_under_a_key(tmp_path: Path, key: Path) -> None:
    """Import, run, save, list, show, export, verify, replay, queue, doctor; nothing of it shows the key."""
    data = tmp_path / "data"
    books = write_books(tmp_path / "books")
    ran = under(key, "run", HELLO, "-i", f"name={CANARY}", "-o", "json", data=data).data["execution_id"]
    said = ""
    for words in (
        ("import", books, "--org", TENANT),
        ("workflow", "save", HELLO),
        ("workflow", "list"),
        ("ls",),
        ("show", ran),
        ("logs", ran),
        ("verify",),
        ("event", "publish", "--type", "order.paid", "-i", "order=17"),
        ("event", "list"),
        ("event", "status"),
        ("event", "replay"),
        ("trigger", "list"),
        ("approvals",),
        ("outcomes",),
        ("queue", "add", HELLO, "-i", "name=Ada"),
        ("worker", HELLO, "--once"),
        ("queue",),
        ("resume",),
        ("doctor",),
        ("doctor", "-o", "json"),
        ("key", "status"),
    ):
        answer = under(key, *words, data=data)
        assert answer.code == 0, (words, answer.err)
        said += answer.out + answer.err
    secret = key.read_text().strip()
    assert secret not in said
    files = {file.name: file.read_bytes() for file in data.rglob("*") if file.is_file()}
    assert not [name for name, content in files.items() if secret.encode() in content]
    assert not [name for name, content in files.items() if CANARY.encode() in content]
    assert not [name for name, content in files.items() if b"example.com" in content]


@pytest.mark.parametrize(
    "words",
    [("ls",), ("verify",), ("run", HELLO), ("import", "BOOKS", "--org", TENANT), ("workflow", "list")],
)
def test_the_key_is_asked_for(tmp_path: Path, key: Path, words: tuple[object, ...]) -> None:
    """Without it, or with another one, every command says which is needed, and what to do."""
    data, books = tmp_path / "data", write_books(tmp_path / "books")
    words = tuple(books if word == "BOOKS" else word for word in words)
    under(key, "run", HELLO, data=data)
    id = under(key, "key", "status", "-o", "json", data=data).data["encryption"]["key"]
    for environment in ({}, {"DIRIGENT_KEY": "correct horse battery staple"}):
        said = dirigent(*words, data=data, **environment)
        assert said.code == 2
        assert f"key {id}" in said.err
        assert "fix: Give it in DIRIGENT_KEY" in said.err
        assert "damage" not in said.err


def test_a_plain_folder_is_encrypted(tmp_path: Path, key: Path) -> None:
    """It is refused with a key until then; afterwards nothing can be read, and everything is there."""
    data = tmp_path / "data"
    ran = dirigent("run", HELLO, "-i", f"name={CANARY}", "-o", "json", data=data).data["execution_id"]
    assert "journal.db-wal" in showing(data) or "journal.db" in showing(data)
    refused = under(key, "ls", data=data)
    assert refused.code == 2
    assert "dirigent key encrypt" in refused.err
    assert "No key is given" in dirigent("key", "encrypt", data=data).err
    said = under(key, "key", "encrypt", data=data)
    assert said.code == 0, said.err
    assert "journal.db" in said.out
    assert showing(data) == set()
    assert CANARY in under(key, "show", ran, data=data).out
    assert under(key, "verify", data=data).code == 0
    assert under(key, "key", "encrypt", data=data).code == 1


def test_a_key_is_rotated(tmp_path: Path, key: Path) -> None:
    """Afterwards only the new key opens the folder, and status says so."""
    data, next = tmp_path / "data", tmp_path / "next.key"
    dirigent("key", "new", "--file", next)
    under(key, "run", HELLO, data=data)
    before = (data / "journal.db").read_bytes()
    assert "which is the one given" in under(key, "key", "status", data=data).out
    said = under(key, "key", "rotate", "--to-file", next, "-o", "json", data=data)
    assert said.code == 0, said.err
    assert "journal.db" in said.data["files"]
    assert (data / "journal.db").read_bytes() != before
    assert under(next, "verify", data=data).code == 0
    status = under(key, "key", "status", "-o", "json", data=data).data["encryption"]
    assert status["key"] == said.data["key"]
    assert status["fits"] is False
    assert said.data["key"] in under(key, "ls", data=data).err
    assert "nothing left to do" in under(key, "key", "rotate", "--to-file", next, data=data).out


def test_status_without_a_key(tmp_path: Path) -> None:
    """A folder that is not encrypted is no mistake."""
    dirigent("run", HELLO, data=tmp_path)
    assert "not encrypted." in dirigent("key", "status", data=tmp_path).out


def test_a_key_file_is_for_its_owner(tmp_path: Path, key: Path) -> None:
    """One that others can read, that is not there, that is empty, or beside DIRIGENT_KEY is refused."""
    key.chmod(0o644)
    said = under(key, "ls", data=tmp_path)
    assert said.code == 2
    assert "others can read" in said.err
    assert f"chmod 600 {key}" in said.err
    assert "No such file" in under(tmp_path / "nowhere", "ls", data=tmp_path).err
    (tmp_path / "empty").touch(0o600)
    assert "empty" in under(tmp_path / "empty", "ls", data=tmp_path).err
    key.chmod(0o600)
    both = dirigent("ls", data=tmp_path, DIRIGENT_KEY="x" * 20, DIRIGENT_KEY_FILE=str(key))
    assert "both set" in both.err


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    """Before anything is made with it."""
    said = dirigent("run", HELLO, data=tmp_path / "data", DIRIGENT_KEY="hunter2hunter2")
    assert said.code == 2
    assert "too weak" in said.err
    assert "hunter2" not in said.err + said.out
    assert not list((tmp_path / "data").glob("*.db"))


async def test_the_key_is_not_in_the_shown_configuration(tmp_path: Path) -> None:
    """Neither in what `config` and health show, nor in the settings printed."""
    secret = "correct horse battery staple"
    settings = read_settings({"DIRIGENT_KEY": secret}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings) as engine:
        shown = f"{settings!r} {settings.shown()} {engine.health()} {settings.model_dump_json()}"
    assert secret not in shown
    assert settings.shown()["env"]["DIRIGENT_KEY"] == "***"


def test_the_lock_of_an_encrypted_folder_says_little(tmp_path: Path) -> None:
    """What a command was given does not stand in the lock file that a crash leaves behind."""
    from dirigent.bootstrap.keys import folder_lock

    tmp_path.joinpath("data").mkdir()
    for environment, shows in (({}, True), ({"DIRIGENT_KEY": "correct horse battery staple"}, False)):
        settings = read_settings(environment, folder=tmp_path, data_folder=tmp_path / "data")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.argv", ["/bin/dirigent", "run", f"{CANARY}.yaml", "-i", f"name={CANARY}"])
            with folder_lock(settings):
                said = (tmp_path / "data" / "dirigent.lock").read_text()
        assert (CANARY in said) is shows
        assert "run" in said


def test_archive_files_that_were_plain_stay_readable(tmp_path: Path, key: Path) -> None:
    """What was archived before the folder had a key can be shown and restored; the next file is encrypted."""
    data = tmp_path / "data"
    ran = dirigent("run", HELLO, "-i", f"name={CANARY}", "-o", "json", data=data).data["execution_id"]
    assert dirigent("archive", "--older-than", "0m", "--yes", data=data).code == 0
    assert [file.name for file in (data / "archives").iterdir()] == [
        name for name in _readable(data) if name.startswith("archive-")
    ]
    under(key, "key", "encrypt", data=data)
    assert ran in under(key, "archive", "list", data=data).out
    assert CANARY in under(key, "archive", "show", ran, data=data).out
    assert under(key, "archive", "restore", ran, data=data).code == 0
    assert CANARY in under(key, "show", ran, data=data).out
    assert under(key, "archive", "--older-than", "0m", "--yes", data=data).code == 0
    assert [file.suffix for file in sorted((data / "archives").iterdir())] == [".gz", ".db"]
    assert CANARY in under(key, "archive", "show", ran, data=data).out
    assert under(key, "verify", data=data).code == 0


@pytest.fixture
def archived(tmp_path: Path, key: Path) -> tuple[Path, str]:
    """An encrypted folder with one archived run, and the run."""
    data = tmp_path / "data"
    ran = under(key, "run", HELLO, "-i", f"name={CANARY}", "-o", "json", data=data).data["execution_id"]
    said = under(key, "archive", "--older-than", "0m", "--yes", "-o", "json", data=data)
    assert (said.code, said.data["executions"]) == (0, [ran]), said.err
    return data, ran


def _readable(data: Path) -> list[str]:
    """The files of a folder in which the name of the workflow or the canary stands, packed or not."""
    found = []
    for file in (file for file in data.rglob("*") if file.is_file()):
        content = file.read_bytes()
        plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        if any(text in plain for text in (CANARY.encode(), b"hello", b"jsonl", b"exec_", b"SQLite format")):
            found.append(file.name)
    return found


def test_an_archive_of_an_encrypted_folder_is_encrypted(key: Path, archived: tuple[Path, str]) -> None:
    """No name of a workflow, no input, no id of a run stands in it; with the key all of it is there."""
    data, ran = archived
    [file] = (data / "archives").iterdir()
    assert file.suffix == ".db"
    assert _readable(data) == []
    assert under(key, "verify", data=data).code == 0
    assert under(key, "show", ran, data=data).code == 2
    assert ran in under(key, "archive", "list", data=data).out
    assert CANARY in under(key, "archive", "show", ran, data=data).out
    assert under(key, "archive", "restore", ran, data=data).code == 0
    assert CANARY in under(key, "show", ran, data=data).out
    assert under(key, "verify", data=data).code == 0
    again = under(key, "archive", "--older-than", "0m", "--yes", "-o", "json", data=data)
    assert again.data["executions"] == [ran]
    assert _readable(data) == []


@pytest.mark.parametrize(
    "words", [("list",), ("show", "RUN"), ("restore", "RUN"), ("--older-than", "0m", "--yes")]
)
def test_an_archive_asks_for_the_key(archived: tuple[Path, str], words: tuple[str, ...]) -> None:
    """Without it, or with another one, no command tells anything of it or changes it."""
    data, ran = archived
    [file] = (data / "archives").iterdir()
    before = file.read_bytes()
    for environment in ({}, {"DIRIGENT_KEY": "correct horse battery staple"}):
        said = dirigent(
            "archive", *(ran if word == "RUN" else word for word in words), data=data, **environment
        )
        assert said.code == 2
        assert "fix: Give it in DIRIGENT_KEY" in said.err
        assert ran not in said.out
    assert file.read_bytes() == before


def test_archives_take_the_new_key_with_the_folder(
    tmp_path: Path, key: Path, archived: tuple[Path, str]
) -> None:
    """Rotating names them among the files; afterwards the old key opens none, the new one all."""
    data, ran = archived
    [file] = (data / "archives").iterdir()
    old, next = file.read_bytes(), tmp_path / "next.key"
    dirigent("key", "new", "--file", next)
    said = under(key, "key", "rotate", "--to-file", next, "-o", "json", data=data)
    assert file.name in said.data["files"]
    assert CANARY in under(next, "archive", "show", ran, data=data).out
    assert under(key, "archive", "show", ran, data=data).code == 2
    file.write_bytes(old)  # as from a backup made before
    stale = under(next, "archive", "restore", ran, data=data)
    assert (stale.code, "not under the key of its folder" in stale.err) == (1, True), stale.err
    assert under(next, "verify", data=data).code == 0
    dirigent("key", "new", "--file", tmp_path / "third.key")
    refused = under(next, "key", "rotate", "--to-file", tmp_path / "third.key", data=data)
    assert (refused.code, file.name in refused.err) == (1, True), refused.err


def test_a_damaged_archive_under_a_key_is_refused(key: Path, archived: tuple[Path, str]) -> None:
    """One bit anywhere in its pages is enough; whole again, it is restored."""
    data, ran = archived
    [file] = (data / "archives").iterdir()
    whole = file.read_bytes()
    for place in (100, len(whole) // 2, len(whole) - 40):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        said = under(key, "archive", "restore", ran, data=data)
        assert (said.code, f"{file.name} is damaged" in said.err) == (1, True), said.err
    file.write_bytes(whole)
    assert under(key, "archive", "restore", ran, data=data).code == 0
    assert under(key, "verify", data=data).code == 0
