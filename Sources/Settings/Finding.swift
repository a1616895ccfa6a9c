/// One remark about a configuration: where it stands, what is wrong (or right) with it, and how to mend it.
///
/// Used for our own file (`Configuration.load`) and for Postfix's (`PostfixCheck`).
package struct Finding: Hashable, Sendable {
    /// How much a remark weighs.
    package enum Severity: String, Hashable, Sendable, CaseIterable {
        /// Looked at and found in order; only `PostfixCheck` says so.
        case ok
        /// Works, and probably not as intended.
        case warning
        /// Does not work, or cannot be believed.
        case error
    }

    package var severity: Severity
    /// The file as it was named by the caller, or `environment`.
    package var file: String
    /// Line in `file`, counted from 1; nil when the remark is about something that is not there.
    package var line: Int?
    /// Path of the key (`milter.body_limit`, `routes[2].domain`), a Postfix parameter, or a variable's name; may be
    /// empty.
    package var key: String
    /// One sentence without the mend. Never holds a secret.
    package var message: String
    /// What to do about it; a command where there is one. Empty when there is nothing to do.
    package var mend: String

    package init(
        _ severity: Severity, file: String, line: Int? = nil, key: String, message: String, mend: String = ""
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.key = key
        self.message = message
        self.mend = mend
    }

    /// `file:line`, or only the file.
    package var place: String { line.map { "\(file):\($0)" } ?? file }
}

extension Finding: CustomStringConvertible {
    /// `file:line: error: key: message (mend)`, the form editors can jump to.
    package var description: String {
        var parts = [place, severity.rawValue]
        if !key.isEmpty { parts.append(key) }
        parts.append(message)
        return parts.joined(separator: ": ") + (mend.isEmpty ? "" : " (\(mend))")
    }
}

/// A configuration that cannot be used. All findings are collected before this is thrown, in the order of the file.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// Fit for a metric label and for an exit status.
    package enum Code: String, Hashable, Sendable {
        /// The file is missing, no regular file, not readable or too large.
        case unreadable
        /// The text is no YAML, or no value of ours.
        case invalid
    }

    package let code: Code
    /// Errors and, when there are errors, the warnings beside them. Never empty.
    package let findings: [Finding]

    package init(code: Code, findings: [Finding]) {
        self.code = code
        self.findings = findings
    }

    package var description: String { findings.map(\.description).joined(separator: "\n") }
}
