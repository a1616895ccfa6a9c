import CLibcurl
import Engine
import MailModel

/// rspamd, asked over HTTP (`POST /checkv2`) at its normal worker, or at its controller with a password.
package struct RspamdScanner: VerdictScanner {
    private let configuration: ScannerConfiguration
    private let password: String?
    private let virusSymbols: Set<String>

    /// - Parameter virusSymbols: symbols of its antivirus module, declared active; empty: no virus verdict.
    package init(configuration: ScannerConfiguration, password: String? = nil, virusSymbols: Set<String> = []) {
        self.configuration = configuration
        self.password = password
        self.virusSymbols = virusSymbols
    }

    package let source = RspamdAnswer.source
    package var checks: [VerdictCheck] { virusSymbols.isEmpty ? [.spam] : [.spam, .virus] }

    package func scan(_ message: ReceivedMessage, within limit: Duration) async -> ScanOutcome {
        await Scan.run(message, configuration, within: limit) { deadline throws(ScannerFailure) in
            let exchange = try RspamdExchange()
            let answer = try exchange.post(
                ScannedMessage.bytes(message, isTraced: false), to: configuration.address, headers: fields(message),
                deadline: deadline)
            return try RspamdAnswer.verdicts(answer, virusSymbols: virusSymbols)
        }
    }

    /// The envelope, as rspamd wants to be told.
    private func fields(_ message: ReceivedMessage) -> [String] {
        var fields: [(String, String)] = [("From", message.reversePath), ("Queue-Id", message.queueID)]
        if !message.clientAddress.isEmpty { fields.append(("IP", message.clientAddress)) }
        if !message.helo.isEmpty { fields.append(("Helo", message.helo)) }
        if !message.clientName.isEmpty, !message.clientName.hasPrefix("[") {
            fields.append(("Hostname", message.clientName))
        }
        if let user = message.authenticatedUser { fields.append(("User", user)) }
        fields += message.recipients.prefix(100).map { ("Rcpt", $0) }
        if let password { fields.append(("Password", password)) }
        // libcurl takes `Name:` as the order to leave the field out.
        return fields.map { ($0, ScannedMessage.plain($1)) }.map { $1.isEmpty ? "\($0);" : "\($0): \($1)" } + [
            "Expect:"
        ]
    }
}
