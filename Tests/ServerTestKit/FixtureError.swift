/// Why a fixture could not do its work. A test that catches nothing fails with this text, so it says what to look at.
package struct FixtureError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure a caller may want to tell apart.
    package enum Code: Sendable, Equatable {
        /// The machine lacks something: a program, root rights, a mount. A test may skip itself on this one.
        case unavailable
        /// A program was started and did not come up.
        case notStarted
        /// A deadline passed.
        case timedOut
        /// A socket could not be opened, or broke, or the peer closed it.
        case connection
        /// The peer's words are not the protocol.
        case malformed
    }

    /// The kind of failure.
    package let code: Code
    /// One or more sentences for the reader of a test log; may hold log lines of a server.
    package let explanation: String

    /// Makes an error of one kind.
    package init(_ code: Code, _ explanation: String) {
        self.code = code
        self.explanation = explanation
    }

    package var description: String { "\(code): \(explanation)" }
}
