class NsmError(Exception):
    def __init__(self, message, *, cause=None):
        super().__init__(message)
        self.__cause__ = cause


NAMES = "DeviceNotFound SessionClosed Random InvalidPcr Certificate Attestation PcrLocked"
for _name in NAMES.split():
    globals()[f"Nsm{_name}Error"] = type(f"Nsm{_name}Error", (NsmError,), {"__module__": __name__})
