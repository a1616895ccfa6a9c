import Glibc
import NIOCore

extension HTTPServer {
    /// Why `run` failed, in words for the one who runs the daemon: an address that cannot be had is named, with its keys in
    /// the configuration. Any other error stays as it is.
    package func explained(_ error: any Error) -> any Error {
        guard let error = error as? IOError else { return error }
        let reason =
            switch error.errnoCode {
            case EADDRINUSE: "the port is in use; stop the other program or choose another http.port"
            case EACCES: "only root may take this port; choose an http.port from 1024"
            case EADDRNOTAVAIL: "this machine does not have the address; choose another http.address"
            default: String(cString: strerror(error.errnoCode))
            }
        return ListenFailure(description: "cannot listen on http.address and http.port, \(place): \(reason)")
    }

    private var place: String {
        let address = settings.address.contains(":") ? "[\(settings.address)]" : settings.address
        return "\(address):\(settings.port)"
    }

    private struct ListenFailure: Error, CustomStringConvertible {
        let description: String
    }
}
