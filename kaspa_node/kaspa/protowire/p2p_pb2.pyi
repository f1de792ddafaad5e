from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RelayRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELAY_ROLE_UNSPECIFIED: _ClassVar[RelayRole]
    RELAY_ROLE_PUBLIC: _ClassVar[RelayRole]
    RELAY_ROLE_PRIVATE: _ClassVar[RelayRole]
RELAY_ROLE_UNSPECIFIED: RelayRole
RELAY_ROLE_PUBLIC: RelayRole
RELAY_ROLE_PRIVATE: RelayRole

class Hash(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: bytes
    def __init__(self, bytes: _Optional[bytes] = ...) -> None: ...

class TransactionId(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: bytes
    def __init__(self, bytes: _Optional[bytes] = ...) -> None: ...

class SubnetworkId(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: bytes
    def __init__(self, bytes: _Optional[bytes] = ...) -> None: ...

class VersionMessage(_message.Message):
    __slots__ = ("protocolVersion", "services", "timestamp", "address", "id", "userAgent", "disableRelayTx", "subnetworkId", "network")
    PROTOCOLVERSION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    USERAGENT_FIELD_NUMBER: _ClassVar[int]
    DISABLERELAYTX_FIELD_NUMBER: _ClassVar[int]
    SUBNETWORKID_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    protocolVersion: int
    services: int
    timestamp: int
    address: NetAddress
    id: bytes
    userAgent: str
    disableRelayTx: bool
    subnetworkId: SubnetworkId
    network: str
    def __init__(self, protocolVersion: _Optional[int] = ..., services: _Optional[int] = ..., timestamp: _Optional[int] = ..., address: _Optional[_Union[NetAddress, _Mapping]] = ..., id: _Optional[bytes] = ..., userAgent: _Optional[str] = ..., disableRelayTx: _Optional[bool] = ..., subnetworkId: _Optional[_Union[SubnetworkId, _Mapping]] = ..., network: _Optional[str] = ...) -> None: ...

class VerackMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadyMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RejectMessage(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class PingMessage(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class PongMessage(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: int
    def __init__(self, nonce: _Optional[int] = ...) -> None: ...

class NetAddress(_message.Message):
    __slots__ = ("timestamp", "services", "ip", "port", "relayPort", "relayCapacity", "relayTtlMs", "relayRole", "libp2pPeerId", "relayCircuitHint")
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    RELAYPORT_FIELD_NUMBER: _ClassVar[int]
    RELAYCAPACITY_FIELD_NUMBER: _ClassVar[int]
    RELAYTTLMS_FIELD_NUMBER: _ClassVar[int]
    RELAYROLE_FIELD_NUMBER: _ClassVar[int]
    LIBP2PPEERID_FIELD_NUMBER: _ClassVar[int]
    RELAYCIRCUITHINT_FIELD_NUMBER: _ClassVar[int]
    timestamp: int
    services: int
    ip: bytes
    port: int
    relayPort: int
    relayCapacity: int
    relayTtlMs: int
    relayRole: RelayRole
    libp2pPeerId: str
    relayCircuitHint: str
    def __init__(self, timestamp: _Optional[int] = ..., services: _Optional[int] = ..., ip: _Optional[bytes] = ..., port: _Optional[int] = ..., relayPort: _Optional[int] = ..., relayCapacity: _Optional[int] = ..., relayTtlMs: _Optional[int] = ..., relayRole: _Optional[_Union[RelayRole, str]] = ..., libp2pPeerId: _Optional[str] = ..., relayCircuitHint: _Optional[str] = ...) -> None: ...

class RequestAddressesMessage(_message.Message):
    __slots__ = ("includeAllSubnetworks", "subnetworkId")
    INCLUDEALLSUBNETWORKS_FIELD_NUMBER: _ClassVar[int]
    SUBNETWORKID_FIELD_NUMBER: _ClassVar[int]
    includeAllSubnetworks: bool
    subnetworkId: SubnetworkId
    def __init__(self, includeAllSubnetworks: _Optional[bool] = ..., subnetworkId: _Optional[_Union[SubnetworkId, _Mapping]] = ...) -> None: ...

class AddressesMessage(_message.Message):
    __slots__ = ("addressList",)
    ADDRESSLIST_FIELD_NUMBER: _ClassVar[int]
    addressList: _containers.RepeatedCompositeFieldContainer[NetAddress]
    def __init__(self, addressList: _Optional[_Iterable[_Union[NetAddress, _Mapping]]] = ...) -> None: ...

class Outpoint(_message.Message):
    __slots__ = ("transactionId", "index")
    TRANSACTIONID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    transactionId: TransactionId
    index: int
    def __init__(self, transactionId: _Optional[_Union[TransactionId, _Mapping]] = ..., index: _Optional[int] = ...) -> None: ...

class ScriptPublicKey(_message.Message):
    __slots__ = ("script", "version")
    SCRIPT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    script: bytes
    version: int
    def __init__(self, script: _Optional[bytes] = ..., version: _Optional[int] = ...) -> None: ...

class TransactionInput(_message.Message):
    __slots__ = ("previousOutpoint", "signatureScript", "sequence", "compute_commit")
    PREVIOUSOUTPOINT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURESCRIPT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_COMMIT_FIELD_NUMBER: _ClassVar[int]
    previousOutpoint: Outpoint
    signatureScript: bytes
    sequence: int
    compute_commit: int
    def __init__(self, previousOutpoint: _Optional[_Union[Outpoint, _Mapping]] = ..., signatureScript: _Optional[bytes] = ..., sequence: _Optional[int] = ..., compute_commit: _Optional[int] = ...) -> None: ...

class CovenantBinding(_message.Message):
    __slots__ = ("authorizingInput", "covenantId")
    AUTHORIZINGINPUT_FIELD_NUMBER: _ClassVar[int]
    COVENANTID_FIELD_NUMBER: _ClassVar[int]
    authorizingInput: int
    covenantId: Hash
    def __init__(self, authorizingInput: _Optional[int] = ..., covenantId: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class TransactionOutput(_message.Message):
    __slots__ = ("value", "scriptPublicKey", "covenant")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SCRIPTPUBLICKEY_FIELD_NUMBER: _ClassVar[int]
    COVENANT_FIELD_NUMBER: _ClassVar[int]
    value: int
    scriptPublicKey: ScriptPublicKey
    covenant: CovenantBinding
    def __init__(self, value: _Optional[int] = ..., scriptPublicKey: _Optional[_Union[ScriptPublicKey, _Mapping]] = ..., covenant: _Optional[_Union[CovenantBinding, _Mapping]] = ...) -> None: ...

class TransactionMessage(_message.Message):
    __slots__ = ("version", "inputs", "outputs", "lockTime", "subnetworkId", "gas", "payload", "storage_mass")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    LOCKTIME_FIELD_NUMBER: _ClassVar[int]
    SUBNETWORKID_FIELD_NUMBER: _ClassVar[int]
    GAS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    STORAGE_MASS_FIELD_NUMBER: _ClassVar[int]
    version: int
    inputs: _containers.RepeatedCompositeFieldContainer[TransactionInput]
    outputs: _containers.RepeatedCompositeFieldContainer[TransactionOutput]
    lockTime: int
    subnetworkId: SubnetworkId
    gas: int
    payload: bytes
    storage_mass: int
    def __init__(self, version: _Optional[int] = ..., inputs: _Optional[_Iterable[_Union[TransactionInput, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[TransactionOutput, _Mapping]]] = ..., lockTime: _Optional[int] = ..., subnetworkId: _Optional[_Union[SubnetworkId, _Mapping]] = ..., gas: _Optional[int] = ..., payload: _Optional[bytes] = ..., storage_mass: _Optional[int] = ...) -> None: ...

class InvTransactionsMessage(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedCompositeFieldContainer[TransactionId]
    def __init__(self, ids: _Optional[_Iterable[_Union[TransactionId, _Mapping]]] = ...) -> None: ...

class RequestTransactionsMessage(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedCompositeFieldContainer[TransactionId]
    def __init__(self, ids: _Optional[_Iterable[_Union[TransactionId, _Mapping]]] = ...) -> None: ...

class TransactionNotFoundMessage(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: TransactionId
    def __init__(self, id: _Optional[_Union[TransactionId, _Mapping]] = ...) -> None: ...

class BlockLevelParents(_message.Message):
    __slots__ = ("parentHashes", "cumulativeLevel")
    PARENTHASHES_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVELEVEL_FIELD_NUMBER: _ClassVar[int]
    parentHashes: _containers.RepeatedCompositeFieldContainer[Hash]
    cumulativeLevel: int
    def __init__(self, parentHashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ..., cumulativeLevel: _Optional[int] = ...) -> None: ...

class BlockHeader(_message.Message):
    __slots__ = ("version", "hashMerkleRoot", "acceptedIdMerkleRoot", "utxoCommitment", "timestamp", "bits", "nonce", "daaScore", "blueWork", "parents", "blueScore", "pruningPoint")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HASHMERKLEROOT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTEDIDMERKLEROOT_FIELD_NUMBER: _ClassVar[int]
    UTXOCOMMITMENT_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    DAASCORE_FIELD_NUMBER: _ClassVar[int]
    BLUEWORK_FIELD_NUMBER: _ClassVar[int]
    PARENTS_FIELD_NUMBER: _ClassVar[int]
    BLUESCORE_FIELD_NUMBER: _ClassVar[int]
    PRUNINGPOINT_FIELD_NUMBER: _ClassVar[int]
    version: int
    hashMerkleRoot: Hash
    acceptedIdMerkleRoot: Hash
    utxoCommitment: Hash
    timestamp: int
    bits: int
    nonce: int
    daaScore: int
    blueWork: bytes
    parents: _containers.RepeatedCompositeFieldContainer[BlockLevelParents]
    blueScore: int
    pruningPoint: Hash
    def __init__(self, version: _Optional[int] = ..., hashMerkleRoot: _Optional[_Union[Hash, _Mapping]] = ..., acceptedIdMerkleRoot: _Optional[_Union[Hash, _Mapping]] = ..., utxoCommitment: _Optional[_Union[Hash, _Mapping]] = ..., timestamp: _Optional[int] = ..., bits: _Optional[int] = ..., nonce: _Optional[int] = ..., daaScore: _Optional[int] = ..., blueWork: _Optional[bytes] = ..., parents: _Optional[_Iterable[_Union[BlockLevelParents, _Mapping]]] = ..., blueScore: _Optional[int] = ..., pruningPoint: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class BlockMessage(_message.Message):
    __slots__ = ("header", "transactions")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    header: BlockHeader
    transactions: _containers.RepeatedCompositeFieldContainer[TransactionMessage]
    def __init__(self, header: _Optional[_Union[BlockHeader, _Mapping]] = ..., transactions: _Optional[_Iterable[_Union[TransactionMessage, _Mapping]]] = ...) -> None: ...

class BlockBodyMessage(_message.Message):
    __slots__ = ("transactions",)
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    transactions: _containers.RepeatedCompositeFieldContainer[TransactionMessage]
    def __init__(self, transactions: _Optional[_Iterable[_Union[TransactionMessage, _Mapping]]] = ...) -> None: ...

class InvRelayBlockMessage(_message.Message):
    __slots__ = ("hash",)
    HASH_FIELD_NUMBER: _ClassVar[int]
    hash: Hash
    def __init__(self, hash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class RequestRelayBlocksMessage(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, hashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class RequestBlockBodiesMessage(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, hashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class RequestBlockLocatorMessage(_message.Message):
    __slots__ = ("highHash", "limit")
    HIGHHASH_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    highHash: Hash
    limit: int
    def __init__(self, highHash: _Optional[_Union[Hash, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class BlockLocatorMessage(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, hashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class RequestIBDBlocksMessage(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, hashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class RequestHeadersMessage(_message.Message):
    __slots__ = ("lowHash", "highHash")
    LOWHASH_FIELD_NUMBER: _ClassVar[int]
    HIGHHASH_FIELD_NUMBER: _ClassVar[int]
    lowHash: Hash
    highHash: Hash
    def __init__(self, lowHash: _Optional[_Union[Hash, _Mapping]] = ..., highHash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class RequestNextHeadersMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BlockHeadersMessage(_message.Message):
    __slots__ = ("blockHeaders",)
    BLOCKHEADERS_FIELD_NUMBER: _ClassVar[int]
    blockHeaders: _containers.RepeatedCompositeFieldContainer[BlockHeader]
    def __init__(self, blockHeaders: _Optional[_Iterable[_Union[BlockHeader, _Mapping]]] = ...) -> None: ...

class DoneHeadersMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class IbdBlockLocatorMessage(_message.Message):
    __slots__ = ("targetHash", "blockLocatorHashes")
    TARGETHASH_FIELD_NUMBER: _ClassVar[int]
    BLOCKLOCATORHASHES_FIELD_NUMBER: _ClassVar[int]
    targetHash: Hash
    blockLocatorHashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, targetHash: _Optional[_Union[Hash, _Mapping]] = ..., blockLocatorHashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class IbdBlockLocatorHighestHashMessage(_message.Message):
    __slots__ = ("highestHash",)
    HIGHESTHASH_FIELD_NUMBER: _ClassVar[int]
    highestHash: Hash
    def __init__(self, highestHash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class IbdBlockLocatorHighestHashNotFoundMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RequestIBDChainBlockLocatorMessage(_message.Message):
    __slots__ = ("lowHash", "highHash")
    LOWHASH_FIELD_NUMBER: _ClassVar[int]
    HIGHHASH_FIELD_NUMBER: _ClassVar[int]
    lowHash: Hash
    highHash: Hash
    def __init__(self, lowHash: _Optional[_Union[Hash, _Mapping]] = ..., highHash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class IbdChainBlockLocatorMessage(_message.Message):
    __slots__ = ("blockLocatorHashes",)
    BLOCKLOCATORHASHES_FIELD_NUMBER: _ClassVar[int]
    blockLocatorHashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, blockLocatorHashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class RequestAntipastMessage(_message.Message):
    __slots__ = ("blockHash", "contextHash")
    BLOCKHASH_FIELD_NUMBER: _ClassVar[int]
    CONTEXTHASH_FIELD_NUMBER: _ClassVar[int]
    blockHash: Hash
    contextHash: Hash
    def __init__(self, blockHash: _Optional[_Union[Hash, _Mapping]] = ..., contextHash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class RequestPruningPointUTXOSetMessage(_message.Message):
    __slots__ = ("pruningPointHash",)
    PRUNINGPOINTHASH_FIELD_NUMBER: _ClassVar[int]
    pruningPointHash: Hash
    def __init__(self, pruningPointHash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class RequestNextPruningPointUtxoSetChunkMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UtxoEntry(_message.Message):
    __slots__ = ("amount", "scriptPublicKey", "blockDaaScore", "isCoinbase", "covenantId")
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SCRIPTPUBLICKEY_FIELD_NUMBER: _ClassVar[int]
    BLOCKDAASCORE_FIELD_NUMBER: _ClassVar[int]
    ISCOINBASE_FIELD_NUMBER: _ClassVar[int]
    COVENANTID_FIELD_NUMBER: _ClassVar[int]
    amount: int
    scriptPublicKey: ScriptPublicKey
    blockDaaScore: int
    isCoinbase: bool
    covenantId: Hash
    def __init__(self, amount: _Optional[int] = ..., scriptPublicKey: _Optional[_Union[ScriptPublicKey, _Mapping]] = ..., blockDaaScore: _Optional[int] = ..., isCoinbase: _Optional[bool] = ..., covenantId: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class OutpointAndUtxoEntryPair(_message.Message):
    __slots__ = ("outpoint", "utxoEntry")
    OUTPOINT_FIELD_NUMBER: _ClassVar[int]
    UTXOENTRY_FIELD_NUMBER: _ClassVar[int]
    outpoint: Outpoint
    utxoEntry: UtxoEntry
    def __init__(self, outpoint: _Optional[_Union[Outpoint, _Mapping]] = ..., utxoEntry: _Optional[_Union[UtxoEntry, _Mapping]] = ...) -> None: ...

class PruningPointUtxoSetChunkMessage(_message.Message):
    __slots__ = ("outpointAndUtxoEntryPairs",)
    OUTPOINTANDUTXOENTRYPAIRS_FIELD_NUMBER: _ClassVar[int]
    outpointAndUtxoEntryPairs: _containers.RepeatedCompositeFieldContainer[OutpointAndUtxoEntryPair]
    def __init__(self, outpointAndUtxoEntryPairs: _Optional[_Iterable[_Union[OutpointAndUtxoEntryPair, _Mapping]]] = ...) -> None: ...

class DonePruningPointUtxoSetChunksMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UnexpectedPruningPointMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RequestPruningPointProofMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PruningPointProofHeaderArray(_message.Message):
    __slots__ = ("headers",)
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[BlockHeader]
    def __init__(self, headers: _Optional[_Iterable[_Union[BlockHeader, _Mapping]]] = ...) -> None: ...

class PruningPointProofMessage(_message.Message):
    __slots__ = ("headers",)
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[PruningPointProofHeaderArray]
    def __init__(self, headers: _Optional[_Iterable[_Union[PruningPointProofHeaderArray, _Mapping]]] = ...) -> None: ...

class PruningPointProofChunkMessage(_message.Message):
    __slots__ = ("chunk", "level")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    chunk: _containers.RepeatedCompositeFieldContainer[BlockHeader]
    level: int
    def __init__(self, chunk: _Optional[_Iterable[_Union[BlockHeader, _Mapping]]] = ..., level: _Optional[int] = ...) -> None: ...

class PruningPointProofChunksEndMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PruningPointsMessage(_message.Message):
    __slots__ = ("headers",)
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[BlockHeader]
    def __init__(self, headers: _Optional[_Iterable[_Union[BlockHeader, _Mapping]]] = ...) -> None: ...

class RequestPruningPointAndItsAnticoneMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RequestNextPruningPointAndItsAnticoneBlocksMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BluesAnticoneSizes(_message.Message):
    __slots__ = ("blueHash", "anticoneSize")
    BLUEHASH_FIELD_NUMBER: _ClassVar[int]
    ANTICONESIZE_FIELD_NUMBER: _ClassVar[int]
    blueHash: Hash
    anticoneSize: int
    def __init__(self, blueHash: _Optional[_Union[Hash, _Mapping]] = ..., anticoneSize: _Optional[int] = ...) -> None: ...

class GhostdagData(_message.Message):
    __slots__ = ("blueScore", "blueWork", "selectedParent", "mergeSetBlues", "mergeSetReds", "bluesAnticoneSizes")
    BLUESCORE_FIELD_NUMBER: _ClassVar[int]
    BLUEWORK_FIELD_NUMBER: _ClassVar[int]
    SELECTEDPARENT_FIELD_NUMBER: _ClassVar[int]
    MERGESETBLUES_FIELD_NUMBER: _ClassVar[int]
    MERGESETREDS_FIELD_NUMBER: _ClassVar[int]
    BLUESANTICONESIZES_FIELD_NUMBER: _ClassVar[int]
    blueScore: int
    blueWork: bytes
    selectedParent: Hash
    mergeSetBlues: _containers.RepeatedCompositeFieldContainer[Hash]
    mergeSetReds: _containers.RepeatedCompositeFieldContainer[Hash]
    bluesAnticoneSizes: _containers.RepeatedCompositeFieldContainer[BluesAnticoneSizes]
    def __init__(self, blueScore: _Optional[int] = ..., blueWork: _Optional[bytes] = ..., selectedParent: _Optional[_Union[Hash, _Mapping]] = ..., mergeSetBlues: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ..., mergeSetReds: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ..., bluesAnticoneSizes: _Optional[_Iterable[_Union[BluesAnticoneSizes, _Mapping]]] = ...) -> None: ...

class BlockGhostdagDataHashPair(_message.Message):
    __slots__ = ("hash", "ghostdagData")
    HASH_FIELD_NUMBER: _ClassVar[int]
    GHOSTDAGDATA_FIELD_NUMBER: _ClassVar[int]
    hash: Hash
    ghostdagData: GhostdagData
    def __init__(self, hash: _Optional[_Union[Hash, _Mapping]] = ..., ghostdagData: _Optional[_Union[GhostdagData, _Mapping]] = ...) -> None: ...

class DaaBlock(_message.Message):
    __slots__ = ("ghostdagData", "block")
    GHOSTDAGDATA_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    ghostdagData: GhostdagData
    block: BlockMessage
    def __init__(self, ghostdagData: _Optional[_Union[GhostdagData, _Mapping]] = ..., block: _Optional[_Union[BlockMessage, _Mapping]] = ...) -> None: ...

class DaaBlockV4(_message.Message):
    __slots__ = ("header", "ghostdagData")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    GHOSTDAGDATA_FIELD_NUMBER: _ClassVar[int]
    header: BlockHeader
    ghostdagData: GhostdagData
    def __init__(self, header: _Optional[_Union[BlockHeader, _Mapping]] = ..., ghostdagData: _Optional[_Union[GhostdagData, _Mapping]] = ...) -> None: ...

class TrustedDataMessage(_message.Message):
    __slots__ = ("daaWindow", "ghostdagData")
    DAAWINDOW_FIELD_NUMBER: _ClassVar[int]
    GHOSTDAGDATA_FIELD_NUMBER: _ClassVar[int]
    daaWindow: _containers.RepeatedCompositeFieldContainer[DaaBlockV4]
    ghostdagData: _containers.RepeatedCompositeFieldContainer[BlockGhostdagDataHashPair]
    def __init__(self, daaWindow: _Optional[_Iterable[_Union[DaaBlockV4, _Mapping]]] = ..., ghostdagData: _Optional[_Iterable[_Union[BlockGhostdagDataHashPair, _Mapping]]] = ...) -> None: ...

class TrustedDataChunkMessage(_message.Message):
    __slots__ = ("headers",)
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[DaaBlockV4]
    def __init__(self, headers: _Optional[_Iterable[_Union[DaaBlockV4, _Mapping]]] = ...) -> None: ...

class TrustedDataChunksEndMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class BlockWithTrustedDataMessage(_message.Message):
    __slots__ = ("block", "daaScore", "daaWindow", "ghostdagData")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    DAASCORE_FIELD_NUMBER: _ClassVar[int]
    DAAWINDOW_FIELD_NUMBER: _ClassVar[int]
    GHOSTDAGDATA_FIELD_NUMBER: _ClassVar[int]
    block: BlockMessage
    daaScore: int
    daaWindow: _containers.RepeatedCompositeFieldContainer[DaaBlock]
    ghostdagData: _containers.RepeatedCompositeFieldContainer[BlockGhostdagDataHashPair]
    def __init__(self, block: _Optional[_Union[BlockMessage, _Mapping]] = ..., daaScore: _Optional[int] = ..., daaWindow: _Optional[_Iterable[_Union[DaaBlock, _Mapping]]] = ..., ghostdagData: _Optional[_Iterable[_Union[BlockGhostdagDataHashPair, _Mapping]]] = ...) -> None: ...

class BlockWithTrustedDataV4Message(_message.Message):
    __slots__ = ("block", "daaWindowIndices", "ghostdagDataIndices")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    DAAWINDOWINDICES_FIELD_NUMBER: _ClassVar[int]
    GHOSTDAGDATAINDICES_FIELD_NUMBER: _ClassVar[int]
    block: BlockMessage
    daaWindowIndices: _containers.RepeatedScalarFieldContainer[int]
    ghostdagDataIndices: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, block: _Optional[_Union[BlockMessage, _Mapping]] = ..., daaWindowIndices: _Optional[_Iterable[int]] = ..., ghostdagDataIndices: _Optional[_Iterable[int]] = ...) -> None: ...

class DoneBlocksWithTrustedDataMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RequestPruningPointSmtStateMessage(_message.Message):
    __slots__ = ("pruningPointHash",)
    PRUNINGPOINTHASH_FIELD_NUMBER: _ClassVar[int]
    pruningPointHash: Hash
    def __init__(self, pruningPointHash: _Optional[_Union[Hash, _Mapping]] = ...) -> None: ...

class SmtMetadataMessage(_message.Message):
    __slots__ = ("data", "activeLanesCount")
    DATA_FIELD_NUMBER: _ClassVar[int]
    ACTIVELANESCOUNT_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    activeLanesCount: int
    def __init__(self, data: _Optional[bytes] = ..., activeLanesCount: _Optional[int] = ...) -> None: ...

class SmtLaneEntry(_message.Message):
    __slots__ = ("data", "blueScore", "proof")
    DATA_FIELD_NUMBER: _ClassVar[int]
    BLUESCORE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    blueScore: int
    proof: bytes
    def __init__(self, data: _Optional[bytes] = ..., blueScore: _Optional[int] = ..., proof: _Optional[bytes] = ...) -> None: ...

class SmtLaneChunkMessage(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[SmtLaneEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[SmtLaneEntry, _Mapping]]] = ...) -> None: ...

class RequestNextPruningPointSmtChunkMessage(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
