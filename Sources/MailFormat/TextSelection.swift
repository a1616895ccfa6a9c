/// Which parts are the message's text, which its HTML, and which are attached.
///
/// The rules are those of JMAP (RFC 8621 section 4.1.4), walked with a stack of our own instead of recursion.
struct TextSelection {
    private(set) var text: [Int] = []
    private(set) var html: [Int] = []
    private(set) var attachments: [Int] = []

    private struct Frame {
        var children: [Int]
        var next = 0
        var kind: String
        var isInAlternative: Bool
        var takesText: Bool
        var takesHTML: Bool
        var textStart: Int
        var htmlStart: Int
    }

    init(_ parts: [MessagePart]) {
        guard let root = parts.first else { return }
        guard root.isMultipart else {
            var frame = Frame(
                children: [0], kind: "mixed", isInAlternative: false, takesText: true, takesHTML: true, textStart: 0,
                htmlStart: 0)
            take(0, isFirst: true, parts, &frame)
            return
        }
        var stack = [frame(root, isInAlternative: false, takesText: true, takesHTML: true)]
        while var top = stack.popLast() {
            guard top.next < top.children.count else {
                complete(top)
                continue
            }
            let index = top.children[top.next]
            let isFirst = top.next == 0
            top.next += 1
            if parts[index].isMultipart {
                let inner = frame(
                    parts[index], isInAlternative: top.isInAlternative, takesText: top.takesText,
                    takesHTML: top.takesHTML)
                stack.append(top)
                stack.append(inner)
            } else {
                take(index, isFirst: isFirst, parts, &top)
                stack.append(top)
            }
        }
    }

    private func frame(_ part: MessagePart, isInAlternative: Bool, takesText: Bool, takesHTML: Bool) -> Frame {
        let kind = part.contentType.subtype
        return Frame(
            children: part.children, kind: kind, isInAlternative: isInAlternative || kind == "alternative",
            takesText: takesText, takesHTML: takesHTML, textStart: text.count, htmlStart: html.count)
    }

    private mutating func take(_ index: Int, isFirst: Bool, _ parts: [MessagePart], _ frame: inout Frame) {
        let part = parts[index]
        let isPlain = part.contentType.essence == "text/plain"
        let isHTML = part.contentType.essence == "text/html"
        let isInline =
            part.disposition != "attachment" && (isPlain || isHTML)
            && (isFirst || (frame.kind != "related" && part.filename == nil))
        guard isInline else { return attachments.append(index) }
        if frame.kind == "alternative" {
            if isPlain { text.append(index) } else { html.append(index) }
            return
        }
        if frame.isInAlternative {
            if isPlain { frame.takesHTML = false } else { frame.takesText = false }
        }
        if frame.takesText { text.append(index) }
        if frame.takesHTML { html.append(index) }
    }

    /// An alternative of one kind only stands for the other kind too.
    private mutating func complete(_ frame: Frame) {
        guard frame.kind == "alternative", frame.takesText, frame.takesHTML else { return }
        if text.count == frame.textStart, html.count > frame.htmlStart {
            text.append(contentsOf: html[frame.htmlStart...])
        }
        if html.count == frame.htmlStart, text.count > frame.textStart {
            html.append(contentsOf: text[frame.textStart...])
        }
    }
}
