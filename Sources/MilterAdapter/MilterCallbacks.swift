import CLibmilter
import Engine
import Glibc
import Logging
import MailModel
import Synchronization

// The frames between libmilter and us. Each callback finds its session, tells it what the MTA said, and turns the
// answer into one of libmilter's numbers; nothing in here throws or traps, and a session that cannot be found is
// answered with "continue", because mail must flow around a defect of ours.
//
// Callbacks of one session run on different worker threads, but never two at once, and the library's own locks order
// them; so the box needs no lock.
//
// The box is retained once (+1 in `makeBox`), borrowed by every callback, and released once (-1 in `close`). Sessions
// that are open when smfi_main returns are never closed: their boxes live as long as the process.

/// One session behind `smfi_setpriv`.
private final class SessionBox {
    let context: MilterContext
    let negotiation: MilterNegotiation
    var session: MilterSession
    /// True between a MAIL that was let in and the end of its message.
    private var isMessageOpen = false
    /// The message under way, being read before its end.
    private var readAhead: (job: ReadAhead.Job, queueID: String)?
    /// What the message under way holds of the room for all.
    private var share: InFlight.Share?

    init(context: MilterContext, negotiation: MilterNegotiation) {
        self.context = context
        self.negotiation = negotiation
        session = MilterSession(limits: context.configuration)
        context.meters.count { $0.openSessions += 1 }
    }

    deinit { context.meters.count { $0.openSessions -= 1 } }

    /// False when the server is shutting down.
    func beginMessage() -> Bool {
        endMessage()
        isMessageOpen = context.meters.beginMessage()
        return isMessageOpen
    }

    /// Takes the message's place among those under way; without one it is put off.
    func takeShare() {
        guard share == nil, session.phase == .collecting else { return }
        share = InFlight.Share(of: context.inFlight, client: session.client)
        if share == nil { putOff() }
    }

    /// Takes room for a chunk of the body.
    func takeRoom(for count: Int) {
        takeShare()
        guard let share, session.phase == .collecting, !share.grow(by: min(count, session.room)) else { return }
        putOff()
    }

    private func putOff() {
        context.meters.count { $0.refusedBusy += 1 }
        session.refuse(MilterContext.busy)
    }

    func endMessage() {
        readAhead = nil
        share = nil
        guard isMessageOpen else { return }
        isMessageOpen = false
        context.meters.count { $0.messagesInFlight -= 1 }
    }

    /// Begins to read the message if this chunk was probably the last of its body.
    func readAhead(afterChunkOf count: Int, queueID: String) {
        readAhead = nil
        guard count < ReadAhead.fullChunk, context.meters.isOneMessageAlone,
            let message = session.message(queueID: queueID), let job = context.readAhead.begin(message)
        else { return }
        readAhead = (job, queueID)
    }

    /// What was read before the end of that message; nil when nothing was.
    func recording(of queueID: String) -> MessageRecording? {
        guard let ahead = readAhead, ahead.queueID == queueID else { return nil }
        readAhead = nil
        return ahead.job.take()
    }
}

/// The callbacks, and the structure that tells libmilter about them.
enum MilterCallbacks {
    private typealias Context = OpaquePointer

    /// The structure for `smfi_register`. `name` must live as long as the process.
    static func description(name: UnsafeMutablePointer<CChar>?, allowsQuarantine: Bool) -> smfiDesc {
        var description = smfiDesc()
        description.xxfi_name = name
        description.xxfi_version = Int32(SMFI_VERSION)
        description.xxfi_flags = MilterNegotiation.desiredActions(allowsQuarantine: allowsQuarantine)
        description.xxfi_negotiate = { context, offeredActions, offeredSteps, _, _, actions, steps, spare1, spare2 in
            let asked = MilterCallbacks.negotiate(context, actions: offeredActions, steps: offeredSteps)
            actions?.pointee = asked.actions
            steps?.pointee = asked.steps
            spare1?.pointee = 0
            spare2?.pointee = 0
            return SMFIS_CONTINUE
        }
        description.xxfi_connect = { MilterCallbacks.connect($0, name: $1, address: $2) }
        description.xxfi_helo = { MilterCallbacks.greet($0, name: $1) }
        description.xxfi_envfrom = { MilterCallbacks.mail($0, arguments: $1) }
        description.xxfi_envrcpt = { MilterCallbacks.recipient($0, arguments: $1) }
        description.xxfi_data = { MilterCallbacks.data($0) }
        description.xxfi_header = { MilterCallbacks.header($0, name: $1, value: $2) }
        description.xxfi_eoh = { MilterCallbacks.endOfHeader($0) }
        description.xxfi_body = { MilterCallbacks.body($0, bytes: $1, count: $2) }
        description.xxfi_eom = { MilterCallbacks.endOfMessage($0) }
        description.xxfi_abort = { MilterCallbacks.abort($0) }
        description.xxfi_close = { MilterCallbacks.close($0) }
        return description
    }

    // MARK: The box

    private static func borrowBox(_ context: Context?) -> SessionBox? {
        guard let context, let pointer = smfi_getpriv(context) else { return nil }
        return Unmanaged<SessionBox>.fromOpaque(pointer).takeUnretainedValue()  // borrow
    }

    private static func makeBox(_ context: Context?, _ negotiation: MilterNegotiation) -> SessionBox? {
        guard let context, let shared = MilterContext.current.withLock({ $0 }) else { return nil }
        let box = SessionBox(context: shared, negotiation: negotiation)
        let pointer = Unmanaged.passRetained(box)  // +1
        if smfi_setpriv(context, pointer.toOpaque()) != MI_SUCCESS {
            pointer.release()  // -1: libmilter did not take it
            return nil
        }
        return box
    }

    private static func close(_ context: Context?) -> sfsistat {
        guard let context, let pointer = smfi_getpriv(context) else { return SMFIS_CONTINUE }
        let box = Unmanaged<SessionBox>.fromOpaque(pointer)
        box.takeUnretainedValue().endMessage()
        smfi_setpriv(context, nil)
        box.release()  // -1
        return SMFIS_CONTINUE
    }

    // MARK: The session

    private static func negotiate(_ context: Context?, actions: UInt, steps: UInt) -> MilterNegotiation {
        guard let shared = MilterContext.current.withLock({ $0 }) else { return .none }
        let negotiation = MilterNegotiation(
            offeredActions: actions, offeredSteps: steps, allowsQuarantine: shared.configuration.allowsQuarantine,
            answersRecipients: shared.configuration.answersRecipients)
        guard borrowBox(context) == nil, makeBox(context, negotiation) != nil else { return .none }
        return negotiation
    }

    private static func connect(
        _ context: Context?, name: UnsafeMutablePointer<CChar>?, address: UnsafeMutablePointer<sockaddr>?
    ) -> sfsistat {
        // An MTA of protocol version 4 or below does not get to negotiate: the box is made here.
        guard let box = borrowBox(context) ?? makeBox(context, .none) else { return SMFIS_CONTINUE }
        box.endMessage()
        box.session.connect(clientName: text(name), clientAddress: numericAddress(address))
        return box.negotiation.has(SMFIP_NR_CONN) ? SMFIS_NOREPLY : SMFIS_CONTINUE
    }

    private static func greet(_ context: Context?, name: UnsafeMutablePointer<CChar>?) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        box.session.greet(text(name))
        return box.negotiation.has(SMFIP_NR_HELO) ? SMFIS_NOREPLY : SMFIS_CONTINUE
    }

    private static func mail(
        _ context: Context?, arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        let login = macro(context, "{auth_authen}")
        let isLetIn = box.beginMessage()
        box.session.mail(
            text(arguments?.pointee), authenticatedUser: login.isEmpty ? nil : login, isDraining: !isLetIn,
            declaredSize: declaredSize(arguments))
        return box.negotiation.has(SMFIP_NR_MAIL) ? SMFIS_NOREPLY : SMFIS_CONTINUE
    }

    private static func recipient(
        _ context: Context?, arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    ) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        let intake = box.context.intake
        let isAnswered = !box.negotiation.has(SMFIP_NR_RCPT)
        let argument = text(arguments?.pointee)
        // There is nobody to tell where the mail is the MTA's own.
        if isAnswered, box.context.configuration.refusesRecipients, !box.session.isInternal,
            let reply = intake.refusal(of: MilterSession.address(in: argument))
        {
            box.context.meters.count { $0.rejectedRecipients += 1 }
            return refuse(context, .permanent(reply), SMFIS_REJECT)
        }
        let answer = box.session.recipient(argument, isAnswered: isAnswered) {
            intake.wants(recipient: $0)
        }
        guard isAnswered else { return SMFIS_NOREPLY }
        if case .tempfail(let reply) = answer {
            box.context.meters.count { $0.refusedRecipients += 1 }
            return refuse(context, .temporary(reply), SMFIS_TEMPFAIL)
        }
        return SMFIS_CONTINUE
    }

    private static func data(_ context: Context?) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        let answer = box.session.data()
        if answer == .accept { box.context.meters.count { $0.unwanted += 1 } }
        box.takeShare()
        // Where this is not answered, the first chunk of the body is.
        return box.negotiation.has(SMFIP_NR_DATA) ? SMFIS_NOREPLY : status(answer, context, box)
    }

    private static func header(
        _ context: Context?, name: UnsafeMutablePointer<CChar>?, value: UnsafeMutablePointer<CChar>?
    ) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        let reply = box.negotiation.has(SMFIP_NR_HDR) ? SMFIS_NOREPLY : SMFIS_CONTINUE
        guard let value else { return reply }
        let bytes = UnsafeRawBufferPointer(start: value, count: strlen(value))
        if box.negotiation.has(SMFIP_HDR_LEADSPC) {
            box.session.header(name: text(name), value: bytes)
        } else {
            // The MTA ate the blank after the colon; nearly all mail has one.
            Array([0x20] + bytes).withUnsafeBytes { box.session.header(name: text(name), value: $0) }
        }
        return reply
    }

    private static func endOfHeader(_ context: Context?) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        return box.negotiation.has(SMFIP_NR_EOH) ? SMFIS_NOREPLY : SMFIS_CONTINUE
    }

    private static func body(
        _ context: Context?, bytes: UnsafeMutablePointer<UInt8>?, count: Int
    ) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        let chunk = UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
        box.takeRoom(for: chunk.count)
        let answer = box.session.body(chunk)
        if answer == .continue { box.readAhead(afterChunkOf: count, queueID: macro(context, "i")) }
        if answer == .skip, box.negotiation.has(SMFIP_SKIP) { return SMFIS_SKIP }
        return status(answer, context, box)
    }

    private static func endOfMessage(_ context: Context?) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        defer { box.endMessage() }
        let queueID = macro(context, "i")
        let recording = box.recording(of: queueID)
        let message: ReceivedMessage
        switch box.session.endOfMessage(queueID: queueID) {
        case .message(let whole): message = whole
        case .submission(let submission):
            switch box.context.decide(submission) {
            case .discard: return SMFIS_DISCARD
            case .tempfail(let reply): return tempfail(context, box, reply)
            case .continue, .reject, .quarantine: return SMFIS_CONTINUE
            }
        case .answer(let answer): return status(answer, context, box)
        }
        let verdict = box.context.decide(message, recording: recording)
        // Refusing or dropping the MTA's own mail would lose a bounce, and there is no client to hear of it (postconf(5),
        // internal_mail_filter_classes).
        guard !message.isInternal else { return SMFIS_CONTINUE }
        switch verdict {
        case .continue: return SMFIS_CONTINUE
        case .discard: return SMFIS_DISCARD
        case .reject(let reply):
            box.context.meters.count { $0.rejected += 1 }
            return refuse(context, .permanent(reply), SMFIS_REJECT)
        case .tempfail(let reply): return tempfail(context, box, reply)
        case .quarantine(let reason):
            let reason = ReplyLine.printable(reason, otherwise: "held by mail filter")
            let isHeld =
                box.negotiation.mayQuarantine
                && withMutableCString(reason) { smfi_quarantine(context, $0) } == MI_SUCCESS
            if isHeld {
                box.context.meters.count { $0.quarantined += 1 }
                return SMFIS_CONTINUE
            }
            box.context.logger.error("quarantine is not allowed by the configuration or the MTA")
            return tempfail(context, box, MilterContext.cannotQuarantine)
        }
    }

    private static func abort(_ context: Context?) -> sfsistat {
        guard let box = borrowBox(context) else { return SMFIS_CONTINUE }
        box.session.abort()
        box.endMessage()
        return SMFIS_CONTINUE
    }

    // MARK: Answers

    /// An answer before or without an intake; anything but "continue" ends the message.
    private static func status(_ answer: MilterSession.Answer, _ context: Context?, _ box: SessionBox) -> sfsistat {
        switch answer {
        case .continue, .skip: return SMFIS_CONTINUE
        case .accept:
            box.endMessage()
            return SMFIS_ACCEPT
        case .tempfail(let reply):
            box.endMessage()
            return tempfail(context, box, reply)
        }
    }

    private static func tempfail(_ context: Context?, _ box: SessionBox, _ reply: Reply) -> sfsistat {
        box.context.meters.count { $0.tempfails += 1 }
        return refuse(context, .temporary(reply), SMFIS_TEMPFAIL)
    }

    private static func refuse(_ context: Context?, _ line: ReplyLine, _ status: sfsistat) -> sfsistat {
        withMutableCString(line.code) { code in
            withMutableCString(line.text) { text in
                if let enhancedCode = line.enhancedCode {
                    _ = withMutableCString(enhancedCode) { smfi_setreply(context, code, $0, text) }
                } else {
                    _ = smfi_setreply(context, code, nil, text)
                }
            }
        }
        return status
    }

    // MARK: C strings

    /// libmilter's parameters are `char *` though it only reads and copies them.
    private static func withMutableCString<Result>(
        _ text: String, _ body: (UnsafeMutablePointer<CChar>) -> Result
    ) -> Result {
        text.withCString { body(UnsafeMutablePointer(mutating: $0)) }
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        pointer.map { String(cString: $0) } ?? ""
    }

    /// A macro's value; empty when the MTA did not send it. The pointer dies with the next command: it is copied.
    private static func macro(_ context: Context?, _ name: String) -> String {
        text(withMutableCString(name) { smfi_getsymval(context, $0) })
    }

    /// The SIZE parameter of MAIL (RFC 1870); 0 when there is none.
    private static func declaredSize(_ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int {
        guard let arguments else { return 0 }
        var index = 1
        while index <= 20, let argument = arguments[index] {
            let word = String(cString: argument)
            if word.utf8.count > 5, word.prefix(5).uppercased() == "SIZE=" { return Int(word.dropFirst(5)) ?? 0 }
            index += 1
        }
        return 0
    }

    /// The client's address without port; empty for a client that has none (`getnameinfo(3)`, numeric, no lookup).
    private static func numericAddress(_ address: UnsafeMutablePointer<sockaddr>?) -> String {
        guard let address else { return "" }
        let length: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return ""
        }
        return SocketAddress.numericHost(address, socklen_t(length))
    }
}
