/// A part of the API that a key may use: a subject, for reading or for writing.
package struct KeyScope: Hashable, Sendable {
    /// The raw values are what commands, the database and errors write.
    package enum Subject: String, Hashable, Sendable, CaseIterable {
        case track, send, contacts, workflows, templates, segments, events, webhooks, audit, suppressions, broadcasts
    }

    package enum Access: String, Hashable, Sendable, CaseIterable {
        case read, write
    }

    package var subject: Subject
    package var access: Access

    package init(_ subject: Subject, _ access: Access) {
        self.subject = subject
        self.access = access
    }

    /// `contacts:read`.
    package var text: String { "\(subject.rawValue):\(access.rawValue)" }
}

/// What a key may do: a set of scopes.
package struct KeyScopes: Hashable, Sendable {
    package var granted: Set<KeyScope>

    package init(_ granted: Set<KeyScope>) { self.granted = granted }

    package static let everything = KeyScopes(
        Set(KeyScope.Subject.allCases.flatMap { subject in KeyScope.Access.allCases.map { KeyScope(subject, $0) } }))

    /// Reads `contacts:read`, `send` (reading and writing) and so on, separated by commas or blanks.
    /// - Throws: `UseCaseError.invalid` for an unknown scope and for none at all.
    package init(_ text: String) throws {
        granted = []
        for part in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let halves = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let subject = KeyScope.Subject(rawValue: String(halves[0])) else { throw Self.unknown(part) }
            guard halves.count == 2 else {
                granted.formUnion(KeyScope.Access.allCases.map { KeyScope(subject, $0) })
                continue
            }
            guard let access = KeyScope.Access(rawValue: String(halves[1])) else { throw Self.unknown(part) }
            granted.insert(KeyScope(subject, access))
        }
        guard !granted.isEmpty else { throw UseCaseError(.invalid, "a key without any scope could do nothing") }
    }

    /// In the order of the list, `contacts` for both halves of it.
    package var text: String {
        KeyScope.Subject.allCases.flatMap { subject -> [String] in
            let held = KeyScope.Access.allCases.filter { granted.contains(KeyScope(subject, $0)) }
            return held.count == KeyScope.Access.allCases.count
                ? [subject.rawValue] : held.map { KeyScope(subject, $0).text }
        }.joined(separator: " ")
    }

    private static func unknown(_ part: Substring) -> UseCaseError {
        let known = KeyScope.Subject.allCases.map(\.rawValue).joined(separator: ", ")
        return UseCaseError(
            .invalid, "there is no scope \(part): known are \(known), each also with :read or :write")
    }
}
