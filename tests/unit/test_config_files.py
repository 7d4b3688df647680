"""Which files are read, and which are refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from nethook.config import Configuration, load
from nethook.config.files import find_files, read_file
from nethook.config.files import refusal as refusal_of
from nethook.errors import ConfigError, ReadError
from nethook.host import Host
from nethook.host.files import OWNER, SIZE_LIMIT, UnfitError, _refuse_untrusted
from nethook.prefix import parse_prefix
from tests.unit.test_installation import ACL, LETS_NOBODY_WRITE

HOST = Host(0)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="whom a file belongs to matters to root only")


@pytest.fixture
def search(tmp_path: Path) -> list[str]:
    """Three places for routed-ips, of which none is there."""
    for name in ("nethook", "sysconfig", "default"):
        (tmp_path / name).mkdir(mode=0o755)
    return [str(tmp_path / name / "routed-ips") for name in ("nethook", "sysconfig", "default")]


def write(path: str | Path, content: str) -> None:
    path = Path(path)
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text(content)
    path.chmod(0o644)


def found(search: list[str], chosen: str | None = None) -> list[tuple[str, bytes]]:
    return find_files(HOST, "routed-ips", chosen, search)


def refusal(path: str | Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_file(HOST, str(path))
    (problem,) = caught.value.problems
    return str(problem)


def test_nothing_there(search: list[str]) -> None:
    assert found(search) == []


def test_the_first_that_is_there(search: list[str]) -> None:
    write(search[1], "one")
    write(search[2], "two")
    assert found(search) == [(search[1], b"one")]


def test_an_empty_file_is_a_file(search: list[str]) -> None:
    write(search[0], "")
    write(search[1], "one")
    assert found(search) == [(search[0], b"")]


def test_the_directory_of_the_chosen_file_in_order_of_names(search: list[str]) -> None:
    write(search[1], "main")
    for name in ("20.conf", "10.conf", "30.conf~", ".40.conf", "README"):
        write(f"{search[1]}.d/{name}", name)
    write(f"{search[0]}.d/50.conf", "of another file")
    assert found(search) == [
        (search[1], b"main"),
        (f"{search[1]}.d/10.conf", b"10.conf"),
        (f"{search[1]}.d/20.conf", b"20.conf"),
    ]


def test_a_directory_without_a_file(search: list[str]) -> None:
    write(f"{search[1]}.d/10.conf", "one")
    write(f"{search[2]}.d/10.conf", "two")
    assert found(search) == [(f"{search[1]}.d/10.conf", b"one")]


def test_the_settings_replace_the_search(search: list[str], tmp_path: Path) -> None:
    write(search[0], "searched")
    chosen = str(tmp_path / "chosen")
    write(chosen, "chosen")
    write(f"{chosen}.d/a.conf", "more")
    assert found(search, chosen) == [(chosen, b"chosen"), (f"{chosen}.d/a.conf", b"more")]


def test_what_the_settings_name_has_to_be_there(search: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"which the setting routed-ips names, does not exist; create it"):
        found(search, str(tmp_path / "chosen"))


def test_a_file_below_a_file_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    assert read_file(HOST, str(tmp_path / "file" / "below")) is None


def test_a_symlink_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "file", "content")
    (tmp_path / "link").symlink_to("file")
    assert read_file(HOST, str(tmp_path / "link")) == b"content"


@pytest.mark.parametrize("name", ["routed-ips", "routed-ips.d"])
def test_a_symlink_to_nowhere_is_not_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("not mounted")
    with pytest.raises(ReadError, match=f"/{name}: is a link to not mounted, which does not exist"):
        found([str(tmp_path / "routed-ips")])


def test_a_failure_is_not_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "routed-ips").symlink_to("routed-ips")
    with pytest.raises(ReadError, match="/routed-ips: cannot be read: Too many levels of symbolic links"):
        found([str(tmp_path / "routed-ips")])


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        assert refusal(path) == f"{path}: this is not a regular file; put a regular file there"


def test_huge_files_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "huge", "")
    os.truncate(tmp_path / "huge", SIZE_LIMIT)
    assert read_file(HOST, str(tmp_path / "huge")) == bytes(SIZE_LIMIT)
    os.truncate(tmp_path / "huge", SIZE_LIMIT + 1)
    assert "the file is larger than 16 MiB; split it" in refusal(tmp_path / "huge")


@as_root
class TestTrust:
    @pytest.mark.parametrize(
        ("mode", "group", "trusted"),
        [
            (0o644, 100, True),
            (0o600, 0, True),
            (0o664, 0, True),
            (0o664, 100, False),
            (0o646, 0, False),
        ],
    )
    def test_modes_of_a_file(self, tmp_path: Path, mode: int, group: int, trusted: bool) -> None:
        path = tmp_path / "file"
        write(path, "content")
        os.chown(path, 0, group)
        path.chmod(mode)
        if trusted:
            assert read_file(HOST, str(path)) == b"content"
        else:
            assert refusal(path) == f"{path}: users other than root may write to it; run: chmod go-w {path}"

    def test_the_owner_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        write(path, "content")
        os.chown(path, 1000, 0)
        assert refusal(path) == f"{path}: belongs to user 1000, not to root; run: chown root {path}"

    def test_a_directory_that_others_may_write(self, tmp_path: Path) -> None:
        path = tmp_path / "open" / "file"
        write(path, "content")
        path.parent.chmod(0o777)
        assert refusal(path).startswith(f"{path.parent}: users other than root may write to it; ")
        path.parent.chmod(0o1777)
        assert read_file(HOST, str(path)) == b"content"

    def test_a_symlink_is_as_good_as_where_it_leads(self, tmp_path: Path) -> None:
        path = tmp_path / "open" / "file"
        write(path, "content")
        (tmp_path / "link").symlink_to(path)
        path.parent.chmod(0o777)
        assert refusal(tmp_path / "link").startswith(f"{path.parent}: users other than root may write to it; ")
        path.parent.chmod(0o755)
        os.chown(path, 1000, 0)
        assert refusal(tmp_path / "link") == f"{path}: belongs to user 1000, not to root; run: chown root {path}"

    def test_an_access_control_list(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        write(path, "content")
        os.setxattr(path, ACL, LETS_NOBODY_WRITE)
        what = "its access control list lets users other than root write to it"
        assert refusal(path) == f"{path}: {what}; run: setfacl -b {path}"
        os.removexattr(path, ACL)
        path.chmod(0o664)  # the group is root's
        assert read_file(HOST, str(path)) == b"content"
        os.setxattr(path.parent, ACL, LETS_NOBODY_WRITE)
        assert refusal(path) == f"{path.parent}: {what}; run: setfacl -b {path.parent}"

    def test_every_directory_on_the_way(self, tmp_path: Path) -> None:
        path = tmp_path / "y" / "sub" / "a" / "file"
        path.parent.mkdir(parents=True)
        write(path, "content")
        (tmp_path / "link").symlink_to(path.parent)
        opened = tmp_path / "y"
        opened.chmod(0o777)
        for name in (path, tmp_path / "link" / "file"):
            expected = f"{opened}: users other than root may write to it; run: chmod go-w {opened}"
            assert refusal(name) == expected
        opened.chmod(0o755)
        assert read_file(HOST, str(tmp_path / "link" / "file")) == b"content"

    def test_a_folder_of_somebody_is_not_to_be_given_to_root(self, tmp_path: Path) -> None:
        """It may be their home."""
        path = tmp_path / "home" / "file"
        write(path, "content")
        os.chown(path.parent, 1000, 0)
        advice = "keep the file in a folder of root, such as /etc/nethook"
        assert refusal(path) == f"{path.parent}: belongs to user 1000, not to root; {advice}"
        of_somebody = UnfitError("/etc/nethook", OWNER, mode=stat.S_IFDIR | 0o755, owner=1000)
        assert "run: chown root /etc/nethook" in str(refusal_of(of_somebody))

    def test_the_owner_of_a_link_on_the_way(self, tmp_path: Path) -> None:
        write(tmp_path / "a dir" / "file", "content")
        link = tmp_path / "other link"
        link.symlink_to("a dir")
        os.lchown(link, 1000, 0)
        expected = f"{link}: belongs to user 1000, not to root; run: chown -h root '{link}'"
        assert refusal(link / "file") == expected

    def test_the_directories_of_a_plain_system(self) -> None:
        """Of Debian, RHEL, Fedora and openSUSE, as their packages make them."""
        modes = {"/": 0o555, "/etc": 0o755, "/etc/nethook": 0o755, "/etc/sysconfig": 0o755, "/etc/default": 0o755}
        modes["/nix/store"] = 0o1775
        for path, mode in modes.items():
            status = os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, 0, 0, 0, 0, 0, 0))
            _refuse_untrusted(path, status)


class TestLoad:
    def load(self, tmp_path: Path, search: list[str]) -> Configuration:
        return load(HOST, str(tmp_path / "nethook.conf"), search)

    def test_nothing_at_all(self, tmp_path: Path, search: list[str]) -> None:
        configuration = self.load(tmp_path, search)
        assert (configuration.routed_ips, configuration.problems) == ([], [])
        assert configuration.settings.mark_bit == 0x10000000

    def test_all_together(self, tmp_path: Path, search: list[str]) -> None:
        write(tmp_path / "nethook.conf", f"mark-bit = 0x80\nrouted-ips = {tmp_path}/ips\n")
        write(tmp_path / "ips", "203.0.113.10 public\n203.0.113.11\n")
        write(tmp_path / "ips.d" / "a.conf", "203.0.113.10 other\n")
        configuration = self.load(tmp_path, search)
        assert configuration.settings.mark_bit == 0x80
        assert [str(routed_ip.place) for routed_ip in configuration.routed_ips] == [f"{tmp_path}/ips:1:1"]
        places = [str(problem.place) for problem in configuration.problems]
        assert places == [f"{tmp_path}/ips:2:13", f"{tmp_path}/ips.d/a.conf:1:1"]

    def test_wrong_settings_stop_the_run(self, tmp_path: Path, search: list[str]) -> None:
        write(tmp_path / "nethook.conf", "mark-bit = 3\n")
        with pytest.raises(ConfigError):
            self.load(tmp_path, search)

    def test_what_is_in_doubt(self, tmp_path: Path, search: list[str]) -> None:
        one, other = parse_prefix("203.0.113.10"), parse_prefix("203.0.113.11")
        write(search[0], "203.0.113.10 public gest=web1\n")
        configuration = self.load(tmp_path, search)
        assert (configuration.in_doubt(one), configuration.in_doubt(other)) == (True, False)
        write(search[0], "203.0.113.1O public\n")
        configuration = self.load(tmp_path, search)
        assert (configuration.in_doubt(one), configuration.in_doubt(other)) == (True, True)
