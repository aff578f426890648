"""Creates the database of a domain controller in a folder. The options of Samba are lines of the standard input.

Unlike `samba-tool domain provision` it sets no rights of files, which takes the rights of root.
"""

import logging
import sys

from samba.auth import system_session
from samba.dsdb import DS_DOMAIN_FUNCTION_2008_R2
from samba.param import LoadParm
from samba.provision import provision

folder, address, password = sys.argv[1:]
parameters = LoadParm()
parameters.load("/dev/null")
for option in sys.stdin:
    name, _, value = option.strip().partition("=")
    parameters.set(name, value)
provision(
    logging.getLogger(),
    system_session(),
    targetdir=folder,
    realm="ACME.EXAMPLE",
    domain="ACME",
    hostname="dc1",
    hostip=address,
    adminpass=password,
    serverrole="active directory domain controller",
    dns_backend="NONE",
    dom_for_fun_level=DS_DOMAIN_FUNCTION_2008_R2,
    lp=parameters,
)
