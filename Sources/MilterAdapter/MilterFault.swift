/// Why a connection cannot go on: what came is none of the protocol. It costs that connection alone, and the MTA does what its
/// `milter_default_action` says.
struct MilterFault: Error, Hashable, CustomStringConvertible {
    /// The closed list of reasons, fit for a metric label.
    enum Code: String, Hashable, CaseIterable {
        /// A packet without a letter, or longer than the protocol allows.
        case packetLength
        /// A letter that is no command.
        case unknownCommand
        /// A command whose data are not what belongs to it.
        case malformed
        /// A command before the negotiation, or a second negotiation.
        case outOfOrder
        /// A protocol older than version 2.
        case tooOld
    }

    let code: Code
    let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
