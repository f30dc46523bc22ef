"""Turns what can go wrong between us and a Redfish BMC into a sentence that says what to do about it."""

from __future__ import annotations

import re

from requests import exceptions as http
from sushy import exceptions as redfish

_ERRNO = re.compile(r"\[Errno -?\d+\] ([A-Za-z][A-Za-z ]+)")
_TLS = re.compile(r"certificate verify failed: ([^()]+?)(?: \(|$)")


def explain(error: Exception, address: str, timeout: float) -> str:
    """One or two sentences for `error`; `timeout` is the limit in seconds that a request had."""
    if isinstance(error, redfish.ConnectionError):
        return _explain_connection(error, address, timeout)
    if isinstance(error, redfish.HTTPError):
        return _explain_status(error, address)
    if isinstance(error, redfish.InvalidParameterValueError | redfish.MissingActionError):
        return f"The BMC at {address} does not offer this power action: {error}. Update its firmware."
    return (
        f"The BMC at {address} gave an answer that is not proper Redfish ({type(error).__name__}: {error}): check that "
        "the address belongs to a Redfish BMC, update its firmware or reset it."
    )


def _explain_connection(error: redfish.ConnectionError, address: str, timeout: float) -> str:
    cause = error.__context__  # sushy raises inside its handler of the transport's error
    if isinstance(cause, http.SSLError):
        return (
            f"TLS to the BMC at {address} failed ({_shorten(cause)}): put the CA that signed its certificate into the "
            "Secret's key ca.crt, or set verifyTLS: false for this node."
        )
    if isinstance(cause, http.ConnectTimeout | http.ReadTimeout):
        return (
            f"The BMC at {address} did not answer within {timeout:g} s: check the management network and the BMC's "
            "load, or raise requestTimeoutSeconds."
        )
    return (
        f"The BMC at {address} can't be reached ({_shorten(cause or error)}): check its address, its power and the "
        "management network."
    )


def _explain_status(error: redfish.HTTPError, address: str) -> str:
    status, detail = error.status_code, error.detail or "no detail given"
    if status in (401, 403):
        return (
            f"The BMC at {address} does not accept the credentials ({status}): correct username and password in the "
            "Secret, and see that the account may control power."
        )
    if status == 404:
        return f"The BMC at {address} answers 404 ({error}): correct systemPath; leave it out if there is one system."
    if status in (400, 409):
        return (
            f"The BMC at {address} refused the power command in its present state ({status}: {detail}): look at the "
            "machine's console and the BMC's log."
        )
    return f"The BMC at {address} failed with HTTP {status} ({detail}): wait for it to recover, or reset it."


def _shorten(error: BaseException) -> str:
    """What the operating system or the TLS library said, out of the layers that HTTP libraries wrap around it."""
    text = str(error)
    said = _ERRNO.search(text) or _TLS.search(text)
    return said[1].lower() if said else text.rpartition("Caused by ")[2].rstrip(")") or type(error).__name__
