"""A private SLURM cluster on one machine, to be thrown away: two virtual nodes, each with a GPU that is only counted.

``python tests/cluster/local_slurm.py`` tells whether it can run here, and installs Debian's packages where it may.

Everything lies in one folder and ends with the process that started it; neither ``/etc/slurm`` nor ``/etc/munge`` is
read or written. Clients find the cluster by ``SLURM_CONF``. What it enforces: GPUs and CPUs are counted, not fenced
off; a job's time is watched by SLURM itself; memory is polled every second (no cgroups), so that a job above its limit
is killed within a few seconds.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "sinfo", "squeue", "setpriv")
PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
CONFIGURATION = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
FirstJobId={first_job}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=20000,sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
MinJobAge=3600
ReturnToService=2
SlurmdTimeout=10
KillWait=5
SlurmdParameters=config_overrides
GresTypes=gpu
PropagateResourceLimits=NONE
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} CoresPerSocket={cpus} "
    "RealMemory={memory} Gres=gpu:1 State=UNKNOWN\n"
)


class CannotRun(Exception):
    """There can be no cluster on this machine; the message tells why and what to do."""


def check() -> None:
    """Raise CannotRun unless the cluster can be started here."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise CannotRun(f"{', '.join(missing)} not on PATH: apt-get install {' '.join(PACKAGES)}")
    if os.geteuid() != 0:
        raise CannotRun("only root can start slurmd and munged as they are set up here: run as root")
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError:
        raise CannotRun(f"the host name has no address: add '127.0.0.1 {socket.gethostname()}' to /etc/hosts") from None


def install() -> None:
    """Install Debian's packages and give the host name an address, where that is missing and may be done.

    Raises
    ------
    CannotRun
        This is not root, there is no apt-get, or the packages cannot be had.
    """
    if any(shutil.which(name) is None for name in PROGRAMS):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise CannotRun(f"needs root and Debian's packages {' '.join(PACKAGES)}")
        policy = Path("/usr/sbin/policy-rc.d")
        ours = not policy.exists()
        if ours:  # the packages would start daemons of their own
            policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
            policy.chmod(0o755)
        command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
        add = [*command, "install", "-y", "--no-install-recommends", *PACKAGES]
        env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
        try:
            done = _quiet(add, env)
            if done.returncode:
                _quiet([*command, "update"], env)
                done = _quiet(add, env)
        finally:
            if ours:
                policy.unlink()
        if done.returncode:
            raise CannotRun(f"apt-get could not install {' '.join(PACKAGES)}: {done.stdout.strip()[-500:]}")
    with suppress(OSError):
        if os.geteuid() == 0 and socket.gethostname() not in Path("/etc/hosts").read_text(encoding="utf-8").split():
            with open("/etc/hosts", "a", encoding="utf-8") as hosts:
                hosts.write(f"127.0.0.1 {socket.gethostname()}\n")
    check()


def _quiet(command: Sequence[str], env: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )


def _free_ports(count: int) -> list[int]:
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()


def processes(*words: str, variable: str = "") -> list[int]:
    """Return the ids of the processes whose command line holds every word and whose environment the variable."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if not all(word in line for word in words):
                continue
            if not variable or variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def with_descendants(process: int) -> list[int]:
    """Return the ids of a process and of all that it started, directly or not."""
    children = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [process, *(p for child in children for p in with_descendants(child))]


class Cluster:
    """A cluster in ``folder``, from entering to leaving the context.

    Parameters
    ----------
    folder : Path
        For configuration, state and logs; short, because a socket's path has at most 107 characters.
    nodes : sequence of str
        Names of the virtual nodes, which have one GPU each.
    cpus, memory : int
        CPUs and MB that each node claims, whatever the machine has.
    """

    def __init__(self, folder: Path, nodes: Sequence[str] = ("n1", "n2"), cpus: int = 8, memory: int = 32000):
        self.folder, self.nodes = folder, tuple(nodes)
        self.cpus, self.memory = cpus, memory
        self.daemons: dict[str, subprocess.Popen] = {}
        # the job-step plugin drops SLURM_CONF from the environment of its srun, which would look for /etc/slurm
        self.environment = dict(
            os.environ, SLURM_CONF=str(folder / "slurm.conf"), PATH=f"{folder}/bin:{os.environ['PATH']}"
        )

    def __enter__(self) -> "Cluster":
        check()
        try:
            self._configure()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self.daemons:
            with suppress(subprocess.SubprocessError):
                self.ask("scancel", "--user=root", timeout=10)
            deadline = time.monotonic() + 10
            while processes("slurmstepd: [", variable=f"SLURM_CONF={self.folder}/slurm.conf"):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.1)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _configure(self) -> None:
        for name in ("bin", "state", "dev", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        wrapper = self.folder / "bin/srun"
        wrapper.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"\n', encoding="utf-8"
        )
        wrapper.chmod(0o755)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        host = socket.gethostname()
        port, *ports = _free_ports(1 + len(self.nodes))
        # job numbers that no other cluster of this machine has: processes are found by them
        text = CONFIGURATION.format(host=host, folder=self.folder, port=port, first_job=port * 100)
        gres = ""
        for node, own in zip(self.nodes, ports, strict=True):
            text += NODE.format(node=node, host=host, port=own, cpus=self.cpus, memory=self.memory)
            device = self.folder / "dev/nvidia0"
            if not device.exists():
                with suppress(OSError):  # a clone of /dev/null; some containers forbid it
                    os.mknod(device, 0o20666, os.makedev(1, 3))
            file = device if device.exists() else "/dev/null"
            gres += f"NodeName={node} Name=gpu File={file} Flags=nvidia_gpu_env\n"
        (self.folder / "slurm.conf").write_text(text, encoding="utf-8")
        (self.folder / "gres.conf").write_text(gres, encoding="utf-8")

    def _daemon(self, name: str, *command: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _start(self) -> None:
        f = self.folder
        own = (f"--key-file={f}/munge.key", f"--socket={f}/munge.socket", f"--pid-file={f}/munged.pid")
        log = (f"--log-file={f}/munged.log", f"--seed-file={f}/munge.seed", "--num-threads=2")
        self._daemon("munged", "munged", "--foreground", "--force", *own, *log)
        self._wait(lambda: (f / "munge.socket").exists())
        self._daemon("slurmctld", "slurmctld", "-D", "-f", f"{f}/slurm.conf")
        for node in self.nodes:
            self._daemon(node, "slurmd", "-D", "-N", node, "-f", f"{f}/slurm.conf")
        self._wait(lambda: self.ask("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(self.nodes))

    def _wait(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(f"{p.name}: {p.read_text(errors='replace')[-1000:]}" for p in self.folder.glob("*.o*"))
                raise CannotRun(f"the cluster does not start ({', '.join(dead) or 'no answer'}):\n{logs}")
            time.sleep(0.1)

    def ask(self, *command: str, timeout: float = 30) -> str:
        """Run one of SLURM's commands and return what it printed."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        ).stdout

    def jobs(self) -> list[dict[str, str]]:
        """Return what ``scontrol show job`` tells of every job of the last hour, in order of their numbers."""
        lines = self.ask("scontrol", "-o", "show", "job").splitlines()
        found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in lines if line.startswith("JobId=")]
        return sorted(found, key=lambda job: int(job["JobId"]))

    def crash(self, node: str) -> None:
        """Kill a node's daemon and all processes of its jobs, as a power cut would."""
        running = self.ask("squeue", "-h", "-w", node, "-t", "RUNNING,COMPLETING", "-o", "%A").split()
        self.daemons[node].kill()
        self.daemons.pop(node).wait()
        for job in set(running):
            for step in processes(f"slurmstepd: [{job}."):
                for process in reversed(with_descendants(step)):
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    try:
        install()
    except CannotRun as reason:
        sys.exit(f"no private SLURM cluster: {reason}")
