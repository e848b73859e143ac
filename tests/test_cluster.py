"""On a cluster the same computations give the same results, each once, whatever dies."""

import os
import signal
import stat
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cube_heart import block_heart
from test_ensemble import TASKS, Square, always_dies_on_three, calls, dies_once_on_three, refuses_three, square
from test_induction import ENSEMBLE, PROTOCOL, TISSUE

import cardiotwin as ct
from cardiotwin.cluster import on_cluster
from cardiotwin.ensemble import run_tasks
from cardiotwin.errors import InputRejected, IntegrityError, ResourceLimit, SettingsError

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@pytest.fixture(scope="module")
def scheduler():
    """Two workers of one thread each, on this machine; a dead one is replaced."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def values(results):
    return [(name, result.value) for name, result in results.items()]


def test_results_come_in_the_order_of_the_tasks_from_other_processes(scheduler, tmp_path):
    with on_cluster(scheduler):
        results = run_tasks(square, tmp_path, TASKS)
    assert values(results) == [(name, i**2) for name, i in TASKS.items()]
    assert os.getpid() not in {result.worker for result in results.values()}
    here = run_tasks(square, tmp_path, TASKS, workers=1)
    assert {result.worker for result in here.values()} == {os.getpid()}, "outside the block, here again"


def test_what_is_kept_is_not_computed_again(scheduler, tmp_path):
    kept = tmp_path / "kept"
    run_tasks(square, tmp_path, {"task5": 5, "task3": 3}, workers=1, folder=kept, kind=Square)
    with on_cluster(scheduler):
        both = run_tasks(square, tmp_path, TASKS, folder=kept, kind=Square)
        again = run_tasks(square, tmp_path, TASKS, folder=kept, kind=Square)
    assert calls(tmp_path) == {5: 1, 3: 1, 8: 1, 1: 1}
    assert values(both) == values(again) == [(name, i**2) for name, i in TASKS.items()]


def test_a_dead_workers_task_is_tried_again(scheduler, tmp_path):
    with on_cluster(scheduler):
        assert run_tasks(dies_once_on_three, tmp_path, TASKS)["task3"].value == 9.0
    assert (tmp_path / "died").exists()


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_given_up_after_the_others_are_kept(scheduler, tmp_path):
    kept = tmp_path / "kept"
    with (
        on_cluster(scheduler),
        pytest.raises(ResourceLimit, match=r"1 of 4 computations lost their worker .* \(first: task3\)"),
    ):
        run_tasks(always_dies_on_three, tmp_path, TASKS, folder=kept, kind=Square)
    assert {path.name for path in kept.iterdir()} == {"task5", "task8", "task1"}


def test_a_refusal_in_a_task_is_the_callers_refusal(scheduler, tmp_path):
    with on_cluster(scheduler), pytest.raises(InputRejected, match="three: found 3"):
        run_tasks(refuses_three, tmp_path, TASKS)


def test_a_worker_with_another_version_is_refused(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr("cardiotwin.cluster.code_version", lambda function: "another")
    with on_cluster(scheduler), pytest.raises(IntegrityError, match="another version of CardioTwin"):
        run_tasks(square, tmp_path, TASKS)


def test_workers_of_many_threads_are_refused(tmp_path):
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=3, dashboard_address=":0", host="127.0.0.1", silence_logs=50
        ) as cluster,
        on_cluster(cluster.scheduler_address),
        pytest.raises(SettingsError, match=r"a worker has 3 threads, expected 1; .*--nworkers 3 --nthreads 1"),
    ):
        run_tasks(square, tmp_path, TASKS)


def test_a_scheduler_without_workers_is_told_from_none():
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", host="127.0.0.1", silence_logs=50) as cluster,
        pytest.raises(ResourceLimit, match=r"no worker at tcp://127\.0\.0\.1:.* start some: `dask worker tcp://"),
        on_cluster(cluster.scheduler_address, patience_s=1.0),
    ):
        pass
    with (
        pytest.raises(ResourceLimit, match=r"nothing answers at tcp://127\.0\.0\.1:9 within 1 s"),
        on_cluster("tcp://127.0.0.1:9", patience_s=1.0),
    ):
        pass


def slow_square(context, task):
    time.sleep(1.0)
    return square(context, task)


def test_a_run_whose_workers_have_all_gone_ends_and_keeps_what_is_finished(tmp_path):
    kept = tmp_path / "kept"
    refusal = r"no worker left at tcp://127\.0\.0\.1:.*; what is finished is kept, run again"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1", silence_logs=50
    ) as cluster:

        def gone(share, text=""):
            if share:
                cluster.scale(0)

        with on_cluster(cluster.scheduler_address, patience_s=2.0), pytest.raises(ResourceLimit, match=refusal):
            run_tasks(slow_square, tmp_path, TASKS, folder=kept, kind=Square, progress=gone)
    assert 1 <= len(list(kept.iterdir())) < 4


def test_encryption_without_certificates_is_told():
    with pytest.raises(ResourceLimit, match="needs certificates"), on_cluster("tls://127.0.0.1:9", patience_s=1.0):
        pass


@pytest.mark.parametrize("where", ["node1:8786", "slurm", "slurm:0", "pbs:many", "http://node1", ""])
def test_another_form_of_address_is_refused(where):
    with pytest.raises(SettingsError, match="expected tcp://host:8786"), on_cluster(where):
        pass


SBATCH = """#!/bin/sh
# A queue of this machine: what it is given runs at once.
cp "$1" {folder}/job$$.sh  # the caller deletes what it submitted
setsid sh {folder}/job$$.sh > {folder}/log$$ 2>&1 &
echo $! >> {folder}/jobs
echo "Submitted batch job $!"
"""


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """`sbatch` and `scancel` that run jobs on this machine."""
    pytest.importorskip("dask_jobqueue")
    dask = pytest.importorskip("dask")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=folder)), ("scancel", '#!/bin/sh\nkill -- "-$1"\n')):
        (folder / name).write_text(text)
        (folder / name).chmod((folder / name).stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    options = {"host": "127.0.0.1", "dashboard_address": ":0"}
    with dask.config.set({"jobqueue.slurm.scheduler-options": options}):
        yield folder
    for job in (folder / "jobs").read_text().split():
        with suppress(ProcessLookupError):
            os.killpg(int(job), signal.SIGKILL)


def test_jobs_of_a_queue_compute(queue, tmp_path):
    with on_cluster("slurm:2"):
        results = run_tasks(square, tmp_path, TASKS)
    assert values(results) == [(name, i**2) for name, i in TASKS.items()]
    assert len((queue / "jobs").read_text().split()) == 2
    script = next(queue.glob("job*.sh")).read_text()
    assert "--nthreads 1" in script
    assert "#SBATCH --mem=4G" in script


def test_a_queue_that_is_not_here_or_refuses_is_told(monkeypatch, tmp_path):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceLimit, match="no `sbatch` on this machine"), on_cluster("slurm:1"):
        pass
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    with pytest.raises(ResourceLimit, match="sbatch refused a job"), on_cluster("slurm:1", patience_s=3.0):
        pass


def test_a_heart_goes_to_the_workers_and_comes_back(scheduler):
    heart = block_heart((3, 3, 3), 1.0)
    with ct.on_cluster(scheduler):
        found = run_tasks(volume_ml, heart, {"a": 2.0, "b": 3.0})
    assert found == {"a": pytest.approx(2.0 * 27e-3), "b": pytest.approx(3.0 * 27e-3)}


def volume_ml(heart, task):
    return task * float(heart.mesh.volumes.sum()) * 1e-3


def test_pacing_on_a_cluster_finds_what_it_finds_here(scheduler):
    heart = block_heart((2, 20, 20), 1.5)
    heart = replace(heart, apicobasal=heart.mesh.points[:, 2] / heart.mesh.points[:, 2].max())
    here = ct.induce(heart, ENSEMBLE, PROTOCOL, TISSUE)
    with on_cluster(scheduler):
        there = ct.induce(heart, ENSEMBLE, PROTOCOL, TISSUE)
    assert [vars(one) for one in there.inductions] == [vars(one) for one in here.inductions]
    assert np.array_equal(there.members, here.members)
