import MailModel
import Synchronization
import WorkflowModel

/// The board of one dispatch, for the loop and for all mails under way.
final class DispatchState: Sendable {
    private let board: Mutex<DispatchBoard>

    init(_ relays: [(rules: RelayRules, places: Int)], _ rules: [PacingRule]) {
        board = Mutex(DispatchBoard(relays, PaceGates(rules)))
    }

    func use<Value: Sendable>(_ body: (inout sending DispatchBoard) -> sending Value) -> Value {
        board.withLock { body(&$0) }
    }
}
