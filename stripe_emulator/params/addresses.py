"""The parameters that say who a customer is: address, email, tax ids."""

from __future__ import annotations

import re

from stripe_emulator.errors import StripeError
from stripe_emulator.params.specs import Params, Raw, Spec, choice, clearable, string

_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")
_ADDRESS = Params({name: clearable(string()) for name in _FIELDS})
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
TAX_ID_TYPES = """
    ad_nrt ae_trn al_tin am_tin ao_tin ar_cuit au_abn au_arn aw_tin az_tin ba_tin bb_tin bd_bin bf_ifu bg_uic bh_vat
    bj_ifu bo_tin br_cnpj br_cpf bs_tin by_tin ca_bn ca_gst_hst ca_pst_bc ca_pst_mb ca_pst_sk ca_qst cd_nif ch_uid
    ch_vat cl_tin cm_niu cn_tin co_nit cr_tin cv_nif de_stn do_rcn ec_ruc eg_tin es_cif et_tin eu_oss_vat eu_vat
    fo_vat gb_vat ge_vat gi_tin gn_nif hk_br hr_oib hu_tin ic_nif id_npwp il_vat in_gst is_vat it_cf jp_cn jp_rn
    jp_trn ke_pin kg_tin kh_tin kr_brn kz_bin la_tin li_uid li_vat lk_vat ma_vat md_vat me_pib mk_vat mr_nif mx_rfc
    my_frp my_itn my_sst ng_tin no_vat no_voec np_pan nz_gst om_vat pe_ruc ph_tin pl_nip py_ruc ro_tin rs_pib ru_inn
    ru_kpp sa_vat sg_gst sg_uen si_tin sn_ninea sr_fin sv_nit th_vat tj_tin tr_tin tw_vat tz_vat ua_vat ug_tin
    us_ein uy_ruc uz_tin uz_vat ve_rif vn_tin za_vat zm_tin zw_tin
""".split()
# The forms of some values; those of other types are not checked.
_FORMS = {
    "ch_vat": r"CHE-?\d{3}\.?\d{3}\.?\d{3} (MWST|TVA|IVA)",
    "eu_vat": r"[A-Z]{2}[0-9A-Z+*]{2,12}",
    "gb_vat": r"GB(\d{9}|\d{12})",
    "in_gst": r"\d{2}[0-9A-Z]{13}",
    "us_ein": r"\d{2}-\d{7}",
}
TAX_ID = Params(type=choice(*TAX_ID_TYPES), value=string(), required=["type", "value"])


def address() -> Spec:
    """Return the spec of an address; the parts that are not given are None."""
    return clearable(lambda raw, at: {**dict.fromkeys(_FIELDS), **_ADDRESS(raw, at)})


def email() -> Spec:
    """Return the spec of an email address."""
    text = string(512)

    def parse(raw: Raw, at: str) -> str:
        found: str = text(raw, at)
        if not _EMAIL.fullmatch(found):
            raise StripeError(f"Invalid email address: {found}", code="email_invalid", param=at)
        return found

    return parse


def check_tax_id(kind: str, value: str, at: str) -> None:
    """Refuse a tax id whose value does not have the form of its type.

    Raises:
        StripeError: `tax_id_invalid`.
    """
    form = _FORMS.get(kind)
    if form is not None and not re.fullmatch(form, value):
        raise StripeError(f"Invalid value for {kind}.", code="tax_id_invalid", param=at)
