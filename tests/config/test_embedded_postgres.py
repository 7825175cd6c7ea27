"""The embedded server's life, really lived: each test in a folder of its own, each user a process of its own."""

import os
import signal
import time

from config.embedded_postgres.users import identity
from tests.config.server_users import end_server, gone, run_folder, servers_of

# --- Its life


def test_first_start_makes_the_data_and_the_database(tmp_path, start):
    var = tmp_path / "deep" / "var"
    try:
        process = start(var)
        assert process.query("SELECT current_database()::text") == [["redemption"]]
        assert var.stat().st_mode & 0o777 == 0o700
        assert (var / "postgres").stat().st_mode & 0o777 == 0o700
        assert process.query(
            "SELECT pg_encoding_to_char(encoding)::text, datlocprovider::text, datlocale FROM pg_database "
            "WHERE datname = 'redemption'"
        ) == [["UTF8", "b", "C.UTF-8"]]
        assert process.query("SELECT lower('ÀÉÜ')") == [["àéü"]]
        assert process.end() == ""
        assert servers_of(var) == []
        assert not run_folder(var).exists()
    finally:
        end_server(var)


def test_second_start_keeps_the_data(var, start):
    first = start(var)
    first.query("CREATE TABLE kept AS SELECT 1 AS one")
    first.end()
    second = start(var)
    assert second.query("SELECT one FROM kept") == [[1]]
    assert second.postmaster != first.postmaster


def test_settings_that_protect_data_and_secrets(var, start):
    process = start(var)
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_connections": "200",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "log_statement": "none",
        "log_min_messages": "log",
        "log_parameter_max_length_on_error": "0",
    }
    assert {name: process.query(f"SHOW {name}")[0][0] for name in expected} == expected


def test_log_says_nothing_of_what_clients_sent(var, start):
    process = start(var)
    for number, statement in enumerate(
        ("SELECT 'SECRET-%d'::int", 'SELECT "SECRET-%d"', "DO $$BEGIN RAISE 'SECRET-%d'; END$$")
    ):
        assert f"SECRET-{number}" in process.does(f"refused({statement % number!r})")
    assert process.end() == ""
    log = (var / "postgres" / "server.log").read_text()
    assert "shutting down" in log
    assert "SECRET" not in log


def test_eight_starting_at_once_share_one_new_server(tmp_path, start):
    var = tmp_path / "var"
    try:
        processes = [start(var) for _ in range(8)]
        assert len({process.postmaster for process in processes}) == 1
        assert [process.query("SELECT 1") for process in processes] == [[[1]]] * 8
        for process in processes[:7]:
            assert process.end() == ""
        assert processes[7].query("SELECT 1") == [[1]]
        assert processes[7].end() == ""
        assert servers_of(var) == []
    finally:
        end_server(var)


def test_stop_ends_it_and_the_next_connection_starts_it(var, start):
    process = start(var)
    process.does("server.stop()")
    assert servers_of(var) == []
    process.does("reconnect()")
    assert process.query("SELECT 1") == [[1]]
    process.end()
    assert servers_of(var) == []


# --- Forks


def test_forked_child_is_a_user_of_its_own(var, start):
    parent = start(var)
    child = parent.does("fork_and_connect()")
    assert child["answer"] == [[1]]
    assert child["pid"] != parent.popen.pid
    assert parent.query("SELECT 1") == [[1]]  # its connection survived the child's end
    assert sorted(int(trace.name.split("-")[0]) for trace in (var / "postgres.users").iterdir()) == [parent.popen.pid]
    parent.end()
    assert servers_of(var) == []


def test_forked_child_outlives_its_parent_and_stops_the_server(var, start):
    parent = start(var)
    child = parent.does("fork_and_stay(2)")
    parent.kill()
    assert servers_of(var)
    assert gone(child)
    assert servers_of(var) == []


def test_child_of_multiprocessing_is_counted_and_leaves(var, start):
    parent = start(var)
    assert parent.does("in_multiprocessing()") == [[1]]
    assert len(list((var / "postgres.users").iterdir())) == 1


# --- SIGKILL


def test_killed_client_does_not_keep_the_server(var, start):
    killed, other = start(var), start(var)
    assert killed.postmaster == other.postmaster
    killed.kill()
    assert other.end() == ""
    assert servers_of(var) == []


def test_killed_last_client_leaves_a_server_that_the_next_adopts_and_stops(var, start):
    killed = start(var)
    killed.query("CREATE TABLE kept AS SELECT 1 AS one")
    killed.kill()
    adopter = start(var)
    assert adopter.postmaster == killed.postmaster
    assert adopter.query("SELECT one FROM kept") == [[1]]
    adopter.end()
    assert servers_of(var) == []


def test_killed_postmaster_is_replaced_while_its_children_still_run(var, start):
    first = start(var)
    first.query("CREATE TABLE kept AS SELECT 1 AS one")
    os.kill(first.postmaster, signal.SIGKILL)
    second = start(var)
    assert second.postmaster != first.postmaster
    assert second.query("SELECT one FROM kept") == [[1]]
    # The first process finds the new server by itself.
    first.does("reconnect()")
    assert first.query("SELECT one FROM kept") == [[1]]
    first.end()
    assert identity(second.postmaster)
    second.end()
    assert servers_of(var) == []


def test_killed_postmaster_is_replaced_by_the_process_that_used_it(var, start):
    process = start(var)
    process.query("CREATE TABLE kept AS SELECT 1 AS one")
    os.kill(process.postmaster, signal.SIGKILL)
    assert gone(process.postmaster)
    time.sleep(0.1)  # so long a process trusts what it saw last
    process.does("reconnect()")
    assert process.query("SELECT one FROM kept") == [[1]]
    process.end()
    assert servers_of(var) == []


def test_killed_backend_is_waited_for(var, start):
    first = start(var)
    first.query("CREATE TABLE kept AS SELECT 1 AS one")
    victims = [pid for pid in servers_of(var) if pid != first.postmaster]
    second = start(var)
    os.kill(victims[0], signal.SIGKILL)
    assert second.postmaster == first.postmaster
    assert start(var).query("SELECT one FROM kept") == [[1]]


def test_all_killed_at_once_recovers(var, start):
    processes = [start(var) for _ in range(2)]
    processes[0].query("CREATE TABLE kept AS SELECT 1 AS one")
    assert processes[0].postmaster == processes[1].postmaster
    for process in processes:
        process.popen.kill()
    for pid in servers_of(var):
        os.kill(pid, signal.SIGKILL)
    next_one = start(var)
    assert next_one.query("SELECT one FROM kept") == [[1]]
    assert next_one.end() == ""
    assert servers_of(var) == []


def test_killed_while_making_the_data_begins_again(tmp_path, start):
    var = tmp_path / "var"
    try:
        killed = start(var)
        while not (var / "postgres.new" / "base").exists():
            time.sleep(0.001)
        killed.kill()
        assert start(var).query("SELECT 1") == [[1]]
    finally:
        end_server(var)


def test_process_id_that_came_round_again_is_not_taken_for_a_user_or_a_server(var, start):
    users = var / "postgres.users"
    users.mkdir(exist_ok=True)
    (users / f"{os.getpid()}-1").touch()
    note = var / "postgres" / "postmaster.pid"
    note.write_text(f"{os.getpid()}\n{var}\n1\n5432\n{run_folder(var)}\n\n 1 1\nready   \n")
    os.chown(note, note.parent.stat().st_uid, -1)
    process = start(var)
    assert process.postmaster != os.getpid()
    process.end()
    assert servers_of(var) == []
