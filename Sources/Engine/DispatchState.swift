import MailModel
import Synchronization
import WorkflowModel

/// The board of one dispatch, for the loop and for all mails under way.
final class DispatchState: Sendable {
    private let board: Mutex<DispatchBoard>
    /// Whether what a mail has in From may change what its seat allows.
    let asksForSender: Bool
    /// Whether attempts of a day are counted.
    let hasCeilings: Bool

    /// - Parameter lifetime: how long a mail is tried, in seconds.
    init(_ relays: [(rules: RelayRules, places: Int)], _ rules: [PacingRule], lifetime: Int64) {
        let gates = PaceGates(rules)
        let board = DispatchBoard(relays, gates, lifetime: lifetime)
        asksForSender = board.choosesBySender || gates.pacesSenders
        hasCeilings = gates.hasCeilings
        self.board = Mutex(board)
    }

    func use<Value: Sendable>(_ body: (inout sending DispatchBoard) -> sending Value) -> Value {
        board.withLock { body(&$0) }
    }
}
