/// A configuration no mail can leave with; found when the transport is made, not at the first message.
package struct SMTPConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Hashable, Sendable {
        case invalidHost
        case invalidPort
        case invalidEHLOName
        case invalidWorkers
        case invalidTimeout
        case invalidCredentials
        /// A login is configured for a relay elsewhere without TLS that is sure to happen.
        case credentialsInClear
        case unreadableCAFile
        /// The system could not start libcurl or a thread.
        case systemFailure
    }

    package var code: Code
    /// What is wrong and what mends it; holds no password.
    package var description: String

    package init(code: Code, description: String) {
        self.code = code
        self.description = description
    }
}
