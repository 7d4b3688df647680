"""The rules that Docker writes when it starts, as input of iptables-restore --noflush.

Docker inserts its jumps at the head of FORWARD one after the other, sets the policy DROP, and filters only what has to
do with its own bridges. Written after its documentation, for one container on the default bridge; not captured from a
running Docker. https://docs.docker.com/engine/network/packet-filtering-firewalls/
"""

from __future__ import annotations

RULES_27 = """*filter
:FORWARD DROP
:DOCKER -
:DOCKER-ISOLATION-STAGE-1 -
:DOCKER-ISOLATION-STAGE-2 -
:DOCKER-USER -
-I FORWARD -i docker0 -o docker0 -j ACCEPT
-I FORWARD -i docker0 ! -o docker0 -j ACCEPT
-I FORWARD -o docker0 -j DOCKER
-I FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-I FORWARD -j DOCKER-ISOLATION-STAGE-1
-I FORWARD -j DOCKER-USER
-A DOCKER ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""

RULES_28 = """*filter
:FORWARD DROP
:DOCKER -
:DOCKER-BRIDGE -
:DOCKER-CT -
:DOCKER-FORWARD -
:DOCKER-ISOLATION-STAGE-1 -
:DOCKER-ISOLATION-STAGE-2 -
:DOCKER-USER -
-I FORWARD -j DOCKER-FORWARD
-I FORWARD -j DOCKER-USER
-A DOCKER ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
COMMIT
"""

RESTARTED_28 = """*filter
:FORWARD DROP
-D FORWARD -j DOCKER-USER
-I FORWARD -j DOCKER-USER
-D FORWARD -j DOCKER-FORWARD
-I FORWARD -j DOCKER-FORWARD
-D FORWARD -j DOCKER-USER
-I FORWARD -j DOCKER-USER
COMMIT
"""
"""A restart takes the jumps out and puts them in front of whatever has come there since."""


def removal(rules: str) -> str:
    """What takes these rules away, as a purge of the package and a reboot do."""
    lines = rules.splitlines()
    chains = [line[1:].split()[0] for line in lines if line.startswith(":DOCKER")]
    jumps = [line.replace("-I ", "-D ") for line in lines if line.startswith("-I FORWARD")]
    emptied = [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
    return "\n".join(["*filter", ":FORWARD ACCEPT", *jumps, *emptied, "COMMIT", ""])
