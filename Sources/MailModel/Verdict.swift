/// What we tell the MTA about a message at the end of it.
package enum Verdict: Hashable, Sendable {
    /// Let the message go its way.
    case `continue`
    /// Take the message and drop it: a workflow has consumed it.
    case discard
    /// Put the message on hold, with a reason for the operator.
    case quarantine(reason: String)
    /// Refuse for good (5xx).
    case reject(Reply)
    /// Refuse for now (4xx): the sending server tries again.
    case tempfail(Reply)
}

/// An SMTP reply: three digits, enhanced status code (RFC 3463), text without line ends.
package struct Reply: Hashable, Sendable {
    package var code: Int
    /// `x.y.z`; nil when the peer sent none.
    package var enhancedCode: String?
    package var text: String
    /// It is the answer to the whole message, and not to a command before it (RFC 5321 section 4.3.2).
    package var isToContent: Bool
    /// What of ours a refusal answers; nil for other replies, and where that is not known. Only at RCPT TO it is the
    /// recipient's.
    package var stage: BounceClassifier.Stage?

    package init(
        code: Int, enhancedCode: String? = nil, text: String, isToContent: Bool = false,
        stage: BounceClassifier.Stage? = nil
    ) {
        self.code = code
        self.enhancedCode = enhancedCode
        self.text = text
        self.isToContent = isToContent
        self.stage = stage
    }

    /// 4xx.
    package var isTemporary: Bool { (400..<500).contains(code) }
    /// 5xx.
    package var isPermanent: Bool { (500..<600).contains(code) }
}
