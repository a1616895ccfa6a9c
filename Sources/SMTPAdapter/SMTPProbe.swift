import CLibcurl
import Logging
import MailModel

/// Looks whether a relay would take mail: connects as for a mail, with TLS and login, and sends none.
package enum SMTPProbe {
    /// Blocks for as long as the configuration's limits allow.
    ///
    /// - Returns: what is wrong and what mends it; nil when the relay waits for mail.
    /// - Throws: when the configuration cannot work.
    package static func run(_ configuration: SMTPConfiguration, logger: Logger) throws(SMTPConfigurationError)
        -> String?
    {
        try configuration.validate()
        guard SMTPTransport.libraryStatus == CURLE_OK,
            let connection = SMTPConnection(configuration: configuration, stopSignal: StopSignal())
        else { throw SMTPConfigurationError(code: .systemFailure, description: "libcurl could not be set up.") }
        guard let result = connection.open() else { return nil }
        switch result.outcome(relay: configuration.relayName) {
        case .unreachable(let reason), .unknown(let reason), .refused(let reason), .unsupported(let reason):
            return reason
        case .rejected(let reply), .deferred(let reply), .delivered(let reply, _):
            return "\(configuration.relayName) said \(reply.code) \(reply.text)"
        }
    }
}
