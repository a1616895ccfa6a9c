import JSONValue

/// Writes a value as YAML that people read and edit: one member a line, texts of several lines as blocks, quotation marks
/// only where a text would be read as something else. `YAMLReader` reads the same value back.
package enum YAMLWriter {
    /// - Parameter isApart: members of the outermost mapping before which a line is left free.
    package static func write(_ value: JSON, apart isApart: Set<String> = []) -> String {
        guard let object = value.objectValue, !object.isEmpty else { return inline(value) + "\n" }
        var text = ""
        for (key, member) in object {
            if isApart.contains(key), !text.isEmpty { text += "\n" }
            append(key, member, indentation: 0, to: &text)
        }
        return text
    }

    private static func append(_ key: String, _ value: JSON, indentation: Int, to text: inout String) {
        let margin = String(repeating: " ", count: indentation)
        let name = scalar(key)
        // A longer key must say that it is one (YAML 1.2 section 7.4.2).
        text += name.utf8.count > 1000 ? "\(margin)? \(name)\n\(margin):" : "\(margin)\(name):"
        append(value, after: indentation, isItem: false, to: &text)
    }

    /// What stands behind `key:` or `-`, and the lines below it.
    private static func append(_ value: JSON, after indentation: Int, isItem: Bool, to text: inout String) {
        switch value {
        case .object(let object) where !object.isEmpty:
            if isItem {
                appendItem(object, indentation: indentation, to: &text)
            } else {
                text += "\n"
                for (key, member) in object { append(key, member, indentation: indentation + 2, to: &text) }
            }
        case .array(let values) where !values.isEmpty:
            if values.allSatisfy(isShort) {
                text += " \(inline(value))\n"
                return
            }
            text += "\n"
            for member in values {
                text += String(repeating: " ", count: indentation + 2) + "-"
                append(member, after: indentation + 2, isItem: true, to: &text)
            }
        case .string(let string):
            if let block = block(string, indentation: indentation + 2) {
                text += " \(block)"
            } else {
                text += " \(scalar(string))\n"
            }
        default: text += " \(inline(value))\n"
        }
    }

    /// A mapping in a list: its first member on the line of the dash.
    private static func appendItem(_ object: JSONObject, indentation: Int, to text: inout String) {
        var members = ""
        for (key, member) in object { append(key, member, indentation: indentation + 2, to: &members) }
        // The dash takes the place of the first line's indentation.
        text += " " + members.dropFirst(indentation + 2)
    }

    /// Numbers, truth values and words stand in one line of a list.
    private static func isShort(_ value: JSON) -> Bool {
        switch value {
        case .object(let object): object.isEmpty
        case .array(let values): values.isEmpty
        case .string(let text): text.utf8.count <= 40 && !text.utf8.contains(UInt8(ascii: "\n"))
        default: true
        }
    }

    private static func inline(_ value: JSON) -> String {
        switch value {
        case .string(let text): scalar(text)
        case .array(let values): "[\(values.map(inline).joined(separator: ", "))]"
        case .object(let object): "{\(object.map { "\(scalar($0)): \(inline($1))" }.joined(separator: ", "))}"
        default: JSONWriter.write(value)
        }
    }

    // MARK: Texts

    /// A text of several lines as a literal block; nil for a text that has one line or that a block cannot hold.
    private static func block(_ text: String, indentation: Int) -> String? {
        guard text.utf8.contains(UInt8(ascii: "\n")), isPlainText(text, andAlso: "\n\t") else { return nil }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let blanks: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t")]
        // The first line with content gives the indentation, so it must not begin with a blank, nor be missing.
        guard let first = lines.first(where: { !$0.isEmpty })?.utf8.first, !blanks.contains(first),
            lines.allSatisfy({ $0.isEmpty || !$0.utf8.allSatisfy(blanks.contains) })
        else { return nil }
        var chomping = "-"
        if lines.last?.isEmpty == true {
            chomping = ""
            lines.removeLast()
            // More empty lines at the end would take in those that follow the block.
            if lines.last?.isEmpty == true { return nil }
        }
        let margin = String(repeating: " ", count: indentation)
        return "|\(chomping)\n" + lines.map { $0.isEmpty ? "\n" : "\(margin)\($0)\n" }.joined()
    }

    /// Plain where that is read back as the same text, else in double quotes.
    private static func scalar(_ text: String) -> String { isPlain(text) ? text : quoted(text) }

    private static func isPlain(_ text: String) -> Bool {
        guard text.utf8.count <= 200, YAMLReader.plain(text) == .string(text), isPlainText(text, andAlso: "") else {
            return false
        }
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last,
            !"-?:,[]{}#&*!|>'\"%@`= ".unicodeScalars.contains(first), last != " ", last != ":"
        else { return false }
        return !text.unicodeScalars.contains { ",[]{}".unicodeScalars.contains($0) } && !has(text, ": ")
            && !has(text, " #")
            && text != "<<" && text != "..."
    }

    private static func has(_ text: String, _ part: String) -> Bool {
        let pair = Array(part.utf8)
        return zip(text.utf8, text.utf8.dropFirst()).contains { $0 == pair[0] && $1 == pair[1] }
    }

    /// Letters, and nothing that a line could end with or that cannot be seen.
    private static func isPlainText(_ text: String, andAlso allowed: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            allowed.unicodeScalars.contains(scalar)
                || scalar.value >= 0x20 && scalar.value < 0x7F
                || scalar.value >= 0xA0 && scalar.value < 0xD800 && scalar.value != 0x2028 && scalar.value != 0x2029
                || scalar.value >= 0xE000 && ![0xFEFF, 0xFFFE, 0xFFFF].contains(scalar.value)
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if isPlainText(String(scalar), andAlso: "") {
                    result.unicodeScalars.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
                }
            }
        }
        return result + "\""
    }
}
