"""What kind of file system a folder lies on: over a network some things that files can do are only pretended."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

_NETWORKS: Final = frozenset(
    {"9p", "afs", "afpfs", "ceph", "cifs", "davfs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "vboxsf"}
)
_LOCAL_BY_FUSE: Final = frozenset({"fuse.bindfs", "fuse.mergerfs", "fuse.unionfs", "fuse.encfs", "fuse.gocryptfs"})


def file_system(path: Path) -> str:
    """Return the kind of file system that a folder lies on ("ext4", "cifs", "fuse.gvfsd-fuse"), or "" if unknown."""
    place = path.resolve()
    try:
        mounts = psutil.disk_partitions(all=True)
    except (OSError, RuntimeError):
        return ""
    # The last of several in one place lies on top: a share over what waits to mount it (autofs).
    holding = [each for each in reversed(mounts) if place.is_relative_to(each.mountpoint)]
    return max(holding, key=lambda each: len(each.mountpoint)).fstype if holding else ""


def over_network(path: Path) -> bool:
    """Tell whether a folder lies on another machine, as far as its file system says so.

    What a program in user space serves (FUSE) is taken for a network (gvfs, rclone, sshfs); `fuseblk` is a disk.
    """
    kind = file_system(path)
    return kind in _NETWORKS or (kind.startswith("fuse.") and kind not in _LOCAL_BY_FUSE)
