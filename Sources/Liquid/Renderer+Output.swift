import JSONValue

/// The way from values to bytes.
extension Renderer {
    /// Text of the template itself: nothing is escaped.
    func append(_ bytes: [UInt8]) throws(RenderingError) {
        guard !isHeader else { return try appendWithoutControls(bytes) }
        try reserve(bytes.count)
        bytes.withUnsafeBufferPointer { output.append($0) }
    }

    private var isHeader: Bool { options.escaping == .header }

    /// Text that is as it should be.
    func append(literal text: String) throws(RenderingError) {
        guard !isHeader else { return try appendWithoutControls(text.utf8) }
        try reserve(text.utf8.count)
        output.append(text)
    }

    /// The same for JSON, where it stands.
    func write(_ place: UnsafePointer<JSON>) throws(RenderingError) {
        switch place.pointee {
        case .null: return
        case .string(let text): try write(text)
        default: try write(try text(place.pointee))
        }
    }

    /// The value of an output, under the escaping of this rendering.
    func write(_ value: Value) throws(RenderingError) {
        switch value {
        case .json(.null): return
        case .json(.string(let text)): try write(text)
        case .markup(let text): try append(literal: text)
        default: try write(try text(value))
        }
    }

    private func write(_ text: String) throws(RenderingError) {
        try spend(bytes: text.utf8.count)
        switch options.escaping {
        case .text: try append(literal: text)
        case .header: try appendWithoutControls(text.utf8)
        case .html:
            try reserve(text.utf8.count)
            HTMLText.escape(text, into: &output)
            try reserve(0)
        }
    }

    private func reserve(_ bytes: Int) throws(RenderingError) {
        guard output.count + bytes <= options.limits.outputBytes else {
            throw error(.outputTooLarge, "the result is longer than \(options.limits.outputBytes) bytes")
        }
    }

    private func appendWithoutControls(_ text: some Collection<UInt8>) throws(RenderingError) {
        try reserve(text.count)
        var previous: UInt8 = 0
        for byte in text {
            // U+0080 to U+009F are controls too: C2 80 to C2 9F in UTF-8.
            if previous == 0xC2, (0x80...0x9F).contains(byte) {
                output.remove(to: output.count - 1)
            } else if byte >= 0x20, byte != 0x7F {
                output.append(byte)
            }
            previous = byte
        }
    }

    // MARK: Text of values

    /// The value as text, the way an output shows it.
    func text(_ value: Value) throws(RenderingError) -> String {
        switch value {
        case .json(.string(let text)), .markup(let text): return text
        case .json(let json): return try text(json)
        case .range(let range): return "\(range.first)..\(range.last)"
        case .empty, .blank, .loop: return ""
        }
    }

    /// Arrays show their elements one after the other, objects show as JSON.
    func text(_ json: JSON) throws(RenderingError) -> String {
        switch json {
        case .null: return ""
        case .bool(let flag): return flag ? "true" : "false"
        case .int(let number): return String(number)
        case .double(let number): return Number.text(number)
        case .string(let text): return text
        case .array(let items):
            var result = ""
            for item in items {
                let text = try text(item)
                try spend(bytes: text.utf8.count)
                try allocate(bytes: text.utf8.count)
                result += text
            }
            return result
        case .object:
            // Charged afterwards: the text of data is no longer than a small multiple of the data.
            let text = JSONWriter.write(json)
            try spend(bytes: text.utf8.count)
            try allocate(bytes: text.utf8.count)
            return text
        }
    }
}
