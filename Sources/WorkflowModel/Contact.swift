import JSONValue

/// A person: one address in one project, with free-form data.
package struct Contact: Hashable, Sendable {
    package var id: Identifier
    /// Trimmed and lower-cased; unique within its project.
    package var email: String
    package var isSubscribed: Bool
    package var data: JSONObject
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: Identifier, email: String, isSubscribed: Bool, data: JSONObject, createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        self.email = email
        self.isSubscribed = isSubscribed
        self.data = data
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Bytes of JSON that one contact's data may have: they are read for every event of the contact.
    package static let dataLimit = 256 * 1024
    /// Nesting of values in it.
    package static let depthLimit = 32
    /// The key of the contact's language; its value is a text.
    package static let localeKey = "locale"

    /// The key by which a contact is kept out of what is recorded of readers.
    package static let doNotTrackKey = "doNotTrack"

    /// Whether mail to the contact has neither pixel nor rewritten links, and nothing is recorded of what it opens.
    ///
    /// Where somebody has said something of it, only a plain no allows to record: files write `yes`, `1` or `x`.
    package var refusesTracking: Bool {
        guard let said = data[Self.doNotTrackKey] else { return false }
        switch said {
        case .null, .bool(false), .int(0), .double(0): return false
        case .string(let text): return !["", "false", "no", "0"].contains(text.lowercased())
        default: return true
        }
    }

    /// Keys that name something of ours and can therefore not be contact data.
    package static let reservedKeys: Set<String> = [
        "id", "email", "plunk_id", "plunk_email", "unsubscribeUrl", "subscribeUrl", "manageUrl",
    ]

    /// Merges shallowly: null deletes a key, reserved keys and empty strings are left out, a wrapper
    /// `{value, persistent: false}` is not stored.
    /// - Returns: whether anything changed.
    @discardableResult
    package mutating func merge(_ changes: JSONObject) -> Bool {
        // Nearly every event says what is known already.
        guard changes.contains(where: { data[$0] != $1 }) else { return false }
        let before = data
        for (key, value) in changes where !Self.reservedKeys.contains(key) {
            switch value {
            case .null: data[key] = nil
            case .string(""): break
            case .object(let object) where object["persistent"] == .bool(false) && object["value"] != nil: break
            default: data[key] = value
            }
        }
        return data != before
    }
}

extension JSONObject {
    /// Every wrapper `{value, persistent: false}` replaced by its value.
    package func unwrappingTransientValues() -> JSONObject {
        guard values.contains(where: { if case .object = $0 { true } else { false } }) else { return self }
        var result = JSONObject()
        for (key, value) in self {
            if case .object(let object) = value, object["persistent"] == .bool(false), let inner = object["value"] {
                result[key] = inner
            } else {
                result[key] = value
            }
        }
        return result
    }
}
