import MailModel

// One MTA connection as a machine: what the MTA said goes in, what to answer comes out. No socket, clock or lock.
//
//     phase       input              next phase   answer
//     idle        mail               envelope     –
//     envelope    recipient          envelope     continue; 452 for a wanted one beyond the limit; for a wanted one while
//                                                 draining 451, or it is passed on unread, after the fallback
//     envelope    data               collecting   continue        (somebody wants the message)
//     envelope    data               passing      accept          (nobody does: no header, no body is collected), or the
//                                                 refusal of a recipient that the MTA did not want to hear of
//     collecting  header             collecting   –
//     collecting  body               collecting   continue; skip once the limit is passed
//     collecting  refuse             passing      –   (too much mail under way: the next answer says so)
//     collecting  end of message     idle         the message, for the intake
//     passing     our own mark       own          –
//     passing     body               idle         the same again  (for an MTA that did not want DATA answered)
//     passing     end of message     idle         the same again
//     own         body               own          skip
//     own         end of message     idle         the submission, for the intake
//     any         abort, connect     idle         –
//
// An MTA that sends no DATA is met at its first header, body chunk or end of message: those open the collection
// themselves when somebody wants the message. Anything else that does not fit the phase is ignored. MAIL starts afresh
// from every phase.

/// What one MTA connection has told us so far.
struct MilterSession: Sendable {
    /// What to tell the MTA after one input.
    enum Answer: Hashable, Sendable {
        case `continue`
        /// The rest of this message is of no interest.
        case accept
        /// No more body chunks, please.
        case skip
        /// Refuse for now: the recipient after RCPT, the transaction elsewhere.
        case tempfail(Reply)
    }

    /// Where the connection is between two inputs.
    enum Phase: Hashable, Sendable { case idle, envelope, collecting, passing, own }

    private(set) var phase = Phase.idle
    private let limits: MilterConfiguration
    private var clientName = ""
    private var clientAddress = ""
    private var helo = ""
    private var message = ReceivedMessage()
    private var isWanted = false
    private var isDraining = false
    /// Of a recipient that the MTA wanted no answer about: it concerns the message.
    private var refusal: Reply?
    private var headerBytes = 0
    private var declaredSize = 0
    /// The value of our own mark, in a message nobody here wants.
    private var marker = ""

    init(limits: MilterConfiguration) { self.limits = limits }

    /// A new client: STARTTLS and XCLIENT may bring a second one over the same connection.
    mutating func connect(clientName: String, clientAddress: String) {
        reset()
        helo = ""
        self.clientName = clientName
        self.clientAddress = clientAddress
    }

    mutating func greet(_ name: String) { helo = name }

    /// MAIL FROM. `isDraining`: the server is shutting down and takes no new message of a client.
    /// - Parameter declaredSize: bytes of the message as the client announces them; 0 when it does not.
    mutating func mail(
        _ argument: String, authenticatedUser: String?, isDraining: Bool, declaredSize: Int = 0
    ) {
        reset()
        self.declaredSize = declaredSize
        message.isInternal = isInternal(argument)
        self.isDraining = isDraining && !message.isInternal
        phase = .envelope
        message.clientName = clientName
        message.clientAddress = clientAddress
        message.helo = helo
        message.authenticatedUser = authenticatedUser
        message.reversePath = Self.address(in: argument)
    }

    /// Whether that argument of MAIL is said by cleanup(8), for mail of the MTA itself or of sendmail(1): see `address(in:)`.
    ///
    /// A client may leave out the angle brackets, too: `strict_rfc821_envelopes` is off by default, and smtpd(8) passes on what was
    /// said. So a client from elsewhere never counts, whatever it says; cleanup(8) names 127.0.0.1 as the client of such mail.
    func isInternal(_ argument: String) -> Bool {
        argument.utf8.first != UInt8(ascii: "<") && ClientNetwork(address: clientAddress) == .loopback
    }

    /// RCPT TO. `wants` is asked at most once. `isAnswered`: the MTA wants to hear of this recipient; if it does not, the
    /// message is refused in its place, later.
    mutating func recipient(_ argument: String, isAnswered: Bool = true, wants: (String) -> Bool) -> Answer {
        let answer = recipient(argument, wants: wants)
        guard case .tempfail(let reply) = answer, !isAnswered else { return answer }
        refusal = reply
        return .continue
    }

    private mutating func recipient(_ argument: String, wants: (String) -> Bool) -> Answer {
        guard phase == .envelope else { return .continue }
        let address = Self.address(in: argument)
        let isWantedHere = wants(address)
        if isDraining {
            let isRefused = isWantedHere && limits.fallback == .tempfail
            if isRefused { return .tempfail(Self.shuttingDown) }
            // Our own mail still goes out, and is known by its envelope.
            if message.recipients.count < limits.recipientLimit { message.recipients.append(address) }
            return .continue
        }
        let isBeyondLimit = message.recipients.count >= limits.recipientLimit
        if isBeyondLimit && !isWantedHere {
            message.hasFurtherRecipients = true
            return .continue
        }
        // Mail from sendmail(1) comes through cleanup(8), where a refused recipient is a configuration error and not
        // a reply to anybody; such a recipient is kept beyond the limit.
        if isBeyondLimit && !message.isInternal { return .tempfail(Self.tooManyRecipients) }
        message.recipients.append(address)
        isWanted = isWanted || isWantedHere
        return .continue
    }

    /// DATA, or whatever shows that the envelope is complete.
    mutating func data() -> Answer {
        guard phase == .envelope else { return .continue }
        guard isWanted, refusal == nil else {
            if refusal != nil { message = ReceivedMessage() }
            phase = .passing
            return passing
        }
        phase = .collecting
        return .continue
    }

    /// One header field, `value` as it travelled but for the line end that closes it. Fields come in order, so the
    /// first one that does not fit closes the header: what is kept is a true beginning of it.
    mutating func header(name: String, value: UnsafeRawBufferPointer) {
        guard isCollecting() else { return noteMarker(name: name, value: value) }
        let size = name.utf8.count + value.count
        let isFull = message.headers.count >= limits.headerCountLimit || size > limits.headerBytesLimit - headerBytes
        if message.areHeadersTruncated || isFull {
            message.areHeadersTruncated = true
            return
        }
        headerBytes += size
        message.headers.append(HeaderField(name: name, value: Array(value)))
    }

    /// Of a message that is not collected, our own mark is all that counts. Mail from sendmail(1), and what the MTA
    /// itself moves, is no submission of ours.
    private mutating func noteMarker(name: String, value: UnsafeRawBufferPointer) {
        guard phase == .passing, name.utf8.count == Self.markerLength, refusal == nil, !message.isInternal,
            value.count <= Self.markerLimit, name.lowercased() == Self.markerName
        else { return }
        marker = String(decoding: value, as: UTF8.self)
        phase = .own
    }

    private static let markerName = OwnSubmission.markerField.lowercased()
    private static let markerLength = OwnSubmission.markerField.utf8.count
    /// Bytes of a value that may be a mark.
    private static let markerLimit = 200

    /// One chunk of the body.
    mutating func body(_ chunk: UnsafeRawBufferPointer) -> Answer {
        guard isCollecting() else {
            if phase == .own { return .skip }
            guard phase == .passing else { return .continue }
            defer { reset() }
            return passing
        }
        if message.isBodyTruncated { return .skip }
        let room = room
        // An array that grows by doubling would take thrice the room at the worst moment.
        if message.body.isEmpty, chunk.count >= Self.fullChunk, declaredSize > 0 {
            message.body.reserveCapacity(min(declaredSize, limits.bodyLimit))
        }
        message.body.append(contentsOf: chunk.prefix(room))
        if chunk.count > room { message.isBodyTruncated = true }
        return message.isBodyTruncated ? .skip : .continue
    }

    /// The largest chunk that Postfix sends, in bytes (milter8.c): only the last one is smaller.
    static let fullChunk = 65_535

    /// How a message ends.
    enum End: Sendable {
        /// For the intake.
        case message(ReceivedMessage)
        /// It says that it is our own.
        case submission(OwnSubmission)
        /// It is none of ours; what to tell the MTA.
        case answer(Answer)
    }

    /// End of message: hands the message over and is ready for the next.
    mutating func endOfMessage(queueID: String) -> End {
        defer { reset() }
        if phase == .own {
            return .submission(
                OwnSubmission(
                    marker: marker, queueID: queueID, reversePath: message.reversePath, recipients: message.recipients,
                    clientAddress: message.clientAddress, authenticatedUser: message.authenticatedUser))
        }
        return message(queueID: queueID).map { .message($0) } ?? .answer(passing)
    }

    /// The message as far as it has come; nil when nobody wants it.
    mutating func message(queueID: String) -> ReceivedMessage? {
        guard isCollecting() else { return nil }
        message.queueID = queueID
        return message
    }

    /// The answer to a message that is not collected.
    private var passing: Answer { refusal.map { .tempfail($0) } ?? .accept }

    /// The transaction ended without a message: RSET, another MAIL, QUIT, a lost client, a filter before us.
    mutating func abort() { reset() }

    private mutating func isCollecting() -> Bool {
        if phase == .envelope { _ = data() }
        return phase == .collecting
    }

    private mutating func reset() {
        phase = .idle
        message = ReceivedMessage()
        isWanted = false
        isDraining = false
        refusal = nil
        headerBytes = 0
        declaredSize = 0
        marker = ""
    }

    /// The client's address, for whoever counts what it sends.
    var client: String { clientAddress }

    /// Whether it is mail of the MTA itself or of sendmail(1).
    var isInternal: Bool { message.isInternal }

    /// Bytes of the body that are still kept.
    var room: Int { max(0, limits.bodyLimit - message.body.count) }

    /// There is no room for this message now. Its next answer says so; mail that nobody could be told about loses the rest
    /// of its body instead.
    mutating func refuse(_ reply: Reply) {
        guard phase == .collecting else { return }
        if message.isInternal {
            message.isBodyTruncated = true
            return
        }
        reset()
        refusal = reply
        phase = .passing
    }

    /// The address in an argument of MAIL or RCPT. smtpd(8) passes on what the client said, in angle brackets;
    /// cleanup(8) sends the bare address and nothing for the null reverse path. A source route is dropped (RFC 5321
    /// appendix C).
    static func address(in argument: String) -> String {
        var text = Substring(argument)
        if text.utf8.first == UInt8(ascii: "<"), text.utf8.last == UInt8(ascii: ">") {
            text = text.dropFirst().dropLast()
        }
        if text.utf8.first == UInt8(ascii: "@"), let colon = text.firstIndex(of: ":") {
            text = text[text.index(after: colon)...]
        }
        return String(text)
    }

    /// RFC 3463 section 3.4: X.3.2, system not accepting network messages. Not 421: Postfix would hang up on the
    /// client, and it is not Postfix that goes away.
    static let shuttingDown = Reply(code: 451, enhancedCode: "4.3.2", text: "Mail filter is restarting, try again")

    /// RFC 5321 section 4.5.3.1.10, with the enhanced code of RFC 3463 section 3.6.
    static let tooManyRecipients = Reply(code: 452, enhancedCode: "4.5.3", text: "Too many recipients")
}
