"""Passwords of Neo4j servers in the system's keyring (Keychain, Credential Locker, Secret Service, KWallet): the one door to it.

A password stands under the service "clew <address without its scheme>" and the user's name. Nothing here prints or logs one.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from kg.errors import EngineError

_HINT = "Set CLEW_NEO4J_PASSWORD instead, or install what `keyring` needs on this system."


def service(uri: str) -> str:
    """Name under which the passwords of a server are kept: bolt:// and neo4j+s:// of one host and port are one server."""
    parts = urlsplit(uri)
    return f"clew {(parts.hostname or '').lower()}:{parts.port or 7687}"


def recall(uri: str, user: str) -> tuple[str | None, str]:
    """The password that the keyring holds, or None; and what to tell people of where it was looked for."""
    import keyring
    from keyring.backends.fail import Keyring as NoKeyring
    from keyring.errors import KeyringError

    try:
        if isinstance(keyring.get_keyring(), NoKeyring):
            return None, "this system has no keyring"
        found = keyring.get_password(service(uri), user)
    except (KeyringError, RuntimeError, OSError) as error:
        return None, f"the keyring cannot be read ({_reason(error)})"
    return found, "found in the keyring" if found else "the keyring holds none"


def keep(uri: str, user: str, password: str) -> None:
    """Put a password into the keyring, in the place of an earlier one.

    Raises:
        EngineError: there is no keyring, or it does not take it.
    """
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(service(uri), user, password)
    except (KeyringError, RuntimeError, OSError) as error:
        raise EngineError(f"The keyring did not take the password of {user} at {uri}: {_reason(error)}.", _HINT) from None


def forget(uri: str, user: str) -> bool:
    """Take a password out of the keyring; False when it held none.

    Raises:
        EngineError: there is no keyring, or it refuses.
    """
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        keyring.delete_password(service(uri), user)
    except PasswordDeleteError:
        return False
    except (KeyringError, RuntimeError, OSError) as error:
        raise EngineError(f"The keyring did not let go of the password of {user} at {uri}: {_reason(error)}.", _HINT) from None
    return True


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0].strip().rstrip(".") or type(error).__name__
