"""Operators that TorchScript of a public model may use without `model.trust`.

An allow-list: each operator here only computes on the tensors, numbers, strings or lists that it is given.
Operators that read or write files (`aten::save`, `aten::from_file`), print, start threads, call Python or
reach another process are absent, and so is every operator that has not been reviewed.

Names are those of torch 2.6 to 2.15 without the namespace `aten::`; all overloads of a name are meant. An
operator that ends in an underscore changes its first argument in place.
"""

from __future__ import annotations

_CONVOLUTION_AND_LINEAR = """
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d _convolution convolution conv_tbc
linear bilinear matmul mm bmm mv dot addmm addbmm baddbmm addmv addr outer einsum tensordot embedding im2col
unfold col2im scaled_dot_product_attention _scaled_dot_product_attention_math _native_multi_head_attention
_transformer_encoder_layer_fwd inner chain_matmul kron _scaled_dot_product_flash_attention_for_cpu
_convolution_mode _conv_depthwise2d conv_depthwise3d slow_conv_dilated2d slow_conv_transpose2d thnn_conv2d
embedding_bag _embedding_bag _trilinear
"""
_NORMALIZATION = """
batch_norm native_batch_norm instance_norm group_norm native_group_norm layer_norm native_layer_norm
rms_norm _native_batch_norm_legit _native_batch_norm_legit_no_training
_batch_norm_impl_index _weight_norm norm_except_dim norm linalg_norm linalg_vector_norm linalg_matrix_norm
frobenius_norm renorm dropout
feature_dropout alpha_dropout feature_alpha_dropout native_dropout
"""
_ACTIVATION = """
relu relu6 leaky_relu prelu rrelu elu selu celu gelu glu silu mish sigmoid log_sigmoid hardsigmoid hardswish
hardtanh hardshrink softshrink threshold tanh softplus softmax _softmax log_softmax _log_softmax
_safe_softmax logit
"""
_POOLING_AND_RESAMPLING = """
max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool3d_with_indices max_unpool2d max_unpool3d
avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact1d _upsample_nearest_exact2d
_upsample_nearest_exact3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa grid_sampler
grid_sampler_2d grid_sampler_3d affine_grid_generator pixel_shuffle pixel_unshuffle channel_shuffle pad
constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
replication_pad3d _pad_circular _pad_enum
"""
_ARITHMETIC = """
add sub rsub subtract mul multiply div divide true_divide floor_divide floordiv remainder fmod pow square
sqrt rsqrt reciprocal neg negative abs absolute sign sgn exp exp2 expm1 log log2 log10 log1p logaddexp
logaddexp2 logsumexp logcumsumexp sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh erf erfc
erfinv floor ceil round trunc frac clamp clamp_min clamp_max clip lerp addcmul addcdiv cross maximum minimum
fmax fmin nan_to_num hypot deg2rad rad2deg bitwise_and bitwise_or bitwise_xor bitwise_not logical_and
logical_or logical_xor logical_not __and__ __or__ __xor__ __not__ __lshift__ __rshift__
__round_to_zero_floordiv gcd sigmoid_ angle real imag conj view_as_real view_as_complex complex polar sinc
xlogy arccos arccosh arcsin arcsinh arctan arctan2 arctanh float_power signbit copysign ldexp fix
positive fabs modf degrees radians lcm frexp nextafter diff trapezoid trapz cumulative_trapezoid
conj_physical
"""
_COMPARISON_AND_REDUCTION = """
eq ne lt le gt ge equal isclose allclose isnan isinf isfinite isposinf isneginf any all sum nansum mean
nanmean prod std var std_mean var_mean max min amax amin aminmax argmax argmin median nanmedian mode
quantile nanquantile cumsum cumprod cummax cummin count_nonzero nonzero nonzero_numpy where sort argsort
topk kthvalue unique_consecutive unique_dim _unique _unique2 bincount histc searchsorted bucketize dist
not_equal less less_equal greater greater_equal isreal argwhere pdist
histogram mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy
binary_cross_entropy_with_logits cdist _cdist_forward pairwise_distance cosine_similarity isin heaviside
msort
"""
_SHAPE_AND_INDEXING = """
size sym_size numel sym_numel dim stride storage_offset view view_as reshape reshape_as flatten unflatten
ravel permute transpose t numpy_T swapaxes swapdims moveaxis movedim squeeze unsqueeze expand expand_as
repeat repeat_interleave tile roll flip fliplr flipud rot90 cat concat concatenate stack hstack vstack
dstack column_stack split split_with_sizes tensor_split chunk unsafe_chunk unsafe_split
unsafe_split_with_sizes unbind narrow select slice index index_select index_add index_copy index_fill
index_put _index_put_impl gather scatter scatter_add scatter_reduce take take_along_dim masked_select
masked_fill masked_scatter diagonal diag diag_embed tril triu tril_indices triu_indices meshgrid
cartesian_prod combinations block_diag broadcast_tensors broadcast_to atleast_1d atleast_2d atleast_3d
contiguous is_contiguous clone detach alias copy fill zero resolve_conj resolve_neg as_strided sum_to_size
expand_copy select_scatter slice_scatter lift_fresh adjoint select_copy slice_copy
transpose_copy permute_copy view_copy squeeze_copy unsqueeze_copy detach_copy diagonal_copy diagonal_scatter
diagflat fill_diagonal index_reduce put hsplit vsplit dsplit row_stack narrow_copy _stack _unsafe_index
_unsafe_index_put unique_dim_consecutive lift lift_fresh_copy data element_size is_same_size _reshape_alias
_unsafe_view _shape_as_tensor
"""
_CREATION_AND_TYPE = """
tensor zeros ones full empty eye arange linspace logspace zeros_like ones_like full_like empty_like
new_zeros new_ones new_full new_empty scalar_tensor rand randn randint rand_like randn_like randint_like
randperm normal bernoulli uniform as_tensor to type_as item _to_copy cpu device is_floating_point is_complex
is_nonzero ScalarImplicit IntImplicit FloatImplicit Float Int Bool Complex promote_types result_type
multinomial exponential geometric log_normal cauchy poisson random
empty_strided new_empty_strided requires_grad is_signed _local_scalar_dense _cast_Float _cast_Double
_cast_Int
_cast_Long _cast_Half can_cast hann_window hamming_window blackman_window kaiser_window bartlett_window
one_hot
"""
_LINEAR_ALGEBRA_AND_FOURIER = """
det logdet inverse pinverse triangular_solve linalg_inv linalg_det linalg_solve linalg_svd linalg_qr
linalg_eigh linalg_cholesky linalg_multi_dot linalg_cross linalg_matrix_power matrix_exp trace fft_fft
fft_ifft fft_rfft fft_irfft fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 fft_fftn fft_ifftn fft_rfftn fft_irfftn
fft_fftshift fft_ifftshift fft_fftfreq fft_rfftfreq fft_hfft fft_hfft2 fft_hfftn fft_ihfft fft_ihfft2
fft_ihfftn stft istft svd slogdet adjoint mT mH matrix_H matrix_power cov corrcoef vander vdot ger
linalg_cholesky_ex linalg_cond linalg_diagonal linalg_eig linalg_eigvals linalg_eigvalsh
linalg_householder_product linalg_inv_ex linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve
linalg_lstsq
linalg_lu linalg_lu_factor linalg_lu_factor_ex linalg_lu_solve linalg_matmul linalg_matrix_exp
linalg_matrix_rank linalg_pinv linalg_slogdet linalg_solve_ex linalg_solve_triangular linalg_svdvals
linalg_tensorinv linalg_tensorsolve linalg_vander linalg_vecdot
"""
_SPECIAL_FUNCTIONS = """
special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
special_chebyshev_polynomial_t special_chebyshev_polynomial_u special_chebyshev_polynomial_v
special_chebyshev_polynomial_w special_digamma special_entr special_erf special_erfc special_erfcx
special_erfinv special_exp2 special_expit special_expm1 special_gammainc special_gammaincc special_gammaln
special_hermite_polynomial_h special_hermite_polynomial_he special_i0 special_i0e special_i1 special_i1e
special_laguerre_polynomial_l special_legendre_polynomial_p special_log1p special_log_ndtr
special_log_softmax special_logit special_logsumexp special_modified_bessel_i0 special_modified_bessel_i1
special_modified_bessel_k0 special_modified_bessel_k1 special_multigammaln special_ndtr special_ndtri
special_polygamma special_psi special_round special_scaled_modified_bessel_k0
special_scaled_modified_bessel_k1 special_sinc special_softmax special_spherical_bessel_j0 special_xlog1py
special_xlogy special_zeta i0 lgamma digamma polygamma mvlgamma igamma igammac
"""
_RECURRENT = "lstm lstm_cell gru gru_cell rnn_tanh rnn_relu rnn_tanh_cell rnn_relu_cell"
_LISTS_AND_STRINGS = """
len append extend insert pop clear remove reverse count list dict keys values items get setdefault update
__getitem__ __contains__ __is__ __isnot__ __range_length __derive_index __interpolate _set_item Delete str
format join lower upper startswith endswith strip lstrip rstrip replace find ord chr warn copy_ sorted range
hash percentFormat isdigit isalpha isalnum islower isupper isspace title capitalize partition
rpartition rfind splitlines zfill is_scripting is_grad_enabled has_torch_function _unwrap_optional
_assert_async _assert_scalar _assert_tensor_metadata
"""

ATEN = frozenset(
    " ".join(
        (
            _CONVOLUTION_AND_LINEAR,
            _NORMALIZATION,
            _ACTIVATION,
            _POOLING_AND_RESAMPLING,
            _ARITHMETIC,
            _COMPARISON_AND_REDUCTION,
            _SHAPE_AND_INDEXING,
            _CREATION_AND_TYPE,
            _LINEAR_ALGEBRA_AND_FOURIER,
            _SPECIAL_FUNCTIONS,
            _RECURRENT,
            _LISTS_AND_STRINGS,
        )
    ).split()
)

# Control flow, constants, containers and attributes. Absent: Print, PythonOp, fork, rpc_*, TimePoint.
_PRIM = """
Constant If Loop ListConstruct ListUnpack TupleConstruct TupleUnpack TupleIndex TupleSlice DictConstruct
GetAttr SetAttr NumToTensor RaiseException Uninitialized unchecked_cast unchecked_unwrap_optional isinstance
CreateObject device dtype layout data type shape max min abs rangelist tolist StringIndex ConstantChunk
requires_grad is_cuda is_cpu is_quantized is_nested is_meta is_sparse is_mkldnn EnumName EnumValue
ModuleContainerIndex index itemsize nbytes Param Return
"""
PRIM = frozenset(_PRIM.split())

OTHER = frozenset({"torchvision::nms", "torchvision::roi_align", "torchvision::deform_conv2d"})


def is_allowed(operator: str) -> bool:
    """Whether TorchScript may use an operator without `model.trust`.

    Args:
        operator: qualified name, such as "aten::conv2d" or "prim::If".

    Returns:
        True if the operator only computes.
    """
    namespace, _, name = operator.partition("::")
    if namespace == "aten":
        return name in ATEN or (name.endswith("_") and name.rstrip("_") in ATEN)
    if namespace == "prim":
        return name in PRIM
    return operator in OTHER
